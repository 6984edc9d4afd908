"""A boosting library with our objectives, beside its own objectives and on data with heavy tails.

    python tests/boosting_trial.py xgboost|lightgbm|catboost
"""

import pickle
import sys
import warnings

import numpy as np
from sklearn.base import clone
from test_boosting import CAUCHY, LOGISTIC, POISSON, PSEUDO_HUBER, SOFTMAX, TWEEDIE

from lossdsl import boosting

LIBRARY = sys.argv[1] if __name__ == "__main__" else ""
HALF = "0.5*(t - x)^2"
ROBUST = [(PSEUDO_HUBER, {"d": 1.0}), ("huber", {"delta": 1.0}), (CAUCHY, {"c": 1.0})]
WITHIN = 1e-5
rng = np.random.default_rng(20260204)


def data(rows=600):
    """Features, weights, and targets of each kind."""
    features, weight = rng.normal(size=(rows, 4)), rng.uniform(0.5, 2, rows)
    plain = np.sin(features[:, 0]) + 0.5 * features[:, 1]
    return {
        "features": features,
        "weight": weight,
        "real": plain + 0.2 * rng.normal(size=rows),
        "binary": (plain + rng.normal(size=rows) > 0).astype(float),
        "count": rng.poisson(np.exp(0.5 * plain)).astype(float),
        "classes": np.digitize(plain, [-0.5, 0.5]),
    }


def heavy_tailed(shift):
    """Features and targets with Cauchy noise, and features with the targets that would be right."""
    parts = []
    for rows in (4000, 1000):
        features = rng.normal(size=(rows, 5))
        parts += [features, np.sin(features[:, 0]) + 0.5 * features[:, 1] + shift]
    return parts[0], parts[1] + 0.3 * rng.standard_cauchy(4000), parts[2], parts[3]


def near(found, wanted, what, within=WITHIN):
    worst = np.max(np.abs(np.asarray(found) - np.asarray(wanted)))
    assert worst <= within, f"{what}: off by {worst:.2g}"


def centred(scores):
    return scores - scores.mean(axis=1, keepdims=True)


def with_xgboost():
    import xgboost

    given = data()
    features, weight = given["features"], given["weight"]
    common = {"n_estimators": 15, "nthread": 1, "max_depth": 3}
    for name, kind, source, more, base, score in [
        ("reg:squarederror", "real", HALF, {}, 0.3, 0.3),
        ("binary:logistic", "binary", LOGISTIC, {}, 0.5, 0.0),
        ("count:poisson", "count", POISSON, {"max_delta_step": 0}, 1.0, 0.0),
        ("reg:tweedie", "count", TWEEDIE, {"tweedie_variance_power": 1.5}, 1.0, 0.0),
    ]:
        own = xgboost.XGBRegressor(objective=name, base_score=base, **common, **more)
        own.fit(features, given[kind], sample_weight=weight)
        objective = boosting.xgboost(source)
        model = clone(xgboost.XGBRegressor(objective=objective, base_score=score, **common, **more))
        model.fit(features, given[kind], sample_weight=weight, eval_set=[(features, given[kind])], verbose=False)
        scores = model.predict(features, output_margin=True)
        near(scores, own.predict(features, output_margin=True), name)
        near(objective.transform(scores), own.predict(features), f"{name}, transformed")
        matrix = xgboost.DMatrix(features, given[kind], weight=weight)
        log: dict = {}
        native = xgboost.train(
            {"max_depth": 3, "nthread": 1, "base_score": score, **more}, matrix, 15, obj=objective,
            custom_metric=objective.metric, evals=[(matrix, "fit")], evals_result=log, verbose_eval=False,
        )  # fmt: skip
        near(native.predict(matrix, output_margin=True), scores, f"{name}, native", 0)
        near(log["fit"][objective.__name__][-1], objective.metric(given[kind], scores, weight), f"{name}, metric", 1e-4)
    objective = boosting.xgboost(SOFTMAX)
    own = xgboost.XGBClassifier(objective="multi:softprob", base_score=0.5, **common)
    own.fit(features, given["classes"], sample_weight=weight)
    model = xgboost.XGBClassifier(objective=objective, **common, **objective.params(given["classes"]))
    model.fit(features, given["classes"], sample_weight=weight)
    scores = model.predict(features, output_margin=True)
    near(centred(scores), centred(own.predict(features, output_margin=True)), "multi:softprob")
    near(objective.transform(scores), own.predict_proba(features), "probabilities")
    pickle.loads(pickle.dumps(model)).predict(features)
    grouped = xgboost.DMatrix(features, given["real"], group=[200, 400], weight=[1.0, 2.0])
    slope = boosting.xgboost(HALF)(np.zeros(600), grouped)[0]
    near(slope, -given["real"] * np.repeat([1, 2], [200, 400]), "weights of groups", 1e-6)
    for shift in (0, 50):
        train, noisy, test, right = heavy_tailed(shift)
        for source, parameters in ROBUST:
            objective = boosting.xgboost(source, **parameters)
            model = xgboost.XGBRegressor(objective=objective, n_estimators=60, nthread=1, **objective.params(noisy))
            error = np.mean(np.abs(model.fit(train, noisy).predict(test) - right))
            assert error < 0.3, f"{source}, shifted by {shift}: {error}"


def with_lightgbm():
    import lightgbm

    given = data()
    features, weight = given["features"], given["weight"]
    common = {"n_estimators": 15, "n_jobs": 1, "verbose": -1, "boost_from_average": False}
    for name, kind, source, more in [
        ("regression", "real", HALF, {}),
        ("binary", "binary", LOGISTIC, {}),
        ("poisson", "count", POISSON, {"poisson_max_delta_step": 1e-9}),
        ("tweedie", "count", TWEEDIE, {"tweedie_variance_power": 1.5}),
    ]:
        own = lightgbm.LGBMRegressor(objective=name, **common, **more)
        own.fit(features, given[kind], sample_weight=weight)
        objective = boosting.lightgbm(source)
        model = clone(lightgbm.LGBMRegressor(objective=objective, **common, **objective.params(given[kind])))
        model.fit(
            features, given[kind], sample_weight=weight, eval_metric=objective.metric,
            eval_set=[(features, given[kind])], eval_sample_weight=[weight],
        )  # fmt: skip
        scores = model.predict(features)
        near(scores, own.predict(features, raw_score=True), name)
        near(objective.transform(scores), own.predict(features), f"{name}, transformed")
        shown = model.evals_result_["training"][objective.__name__][-1]
        near(shown, objective.metric(given[kind], scores, weight)[1], f"{name}, metric", 1e-6)
        known = lightgbm.Dataset(features, given[kind], weight=weight)
        chosen = {"objective": objective, "verbose": -1, "num_threads": 1}
        near(lightgbm.train(chosen, known, 15).predict(features), scores, f"{name}, native", 0)
    objective = boosting.lightgbm(SOFTMAX)
    model = lightgbm.LGBMClassifier(objective=objective, n_estimators=40, n_jobs=1, verbose=-1)
    model.fit(features, given["classes"])
    probabilities = objective.transform(model.predict_proba(features, raw_score=True))
    assert np.mean(probabilities.argmax(axis=1) == given["classes"]) > 0.95
    assert objective.params(given["classes"]) == {"num_class": 3}
    for shift in (0, 50):
        train, noisy, test, right = heavy_tailed(shift)
        for source, parameters in ROBUST:
            objective = boosting.lightgbm(source, **parameters)
            base = objective.base_score(noisy)
            model = lightgbm.LGBMRegressor(objective=objective, n_estimators=60, n_jobs=1, verbose=-1)
            model.fit(train, noisy, init_score=np.full(len(noisy), base))
            error = np.mean(np.abs(model.predict(test) + base - right))
            assert error < 0.3, f"{source}, shifted by {shift}: {error}"


def with_catboost():
    import catboost

    given = data()
    features, weight = given["features"], given["weight"]
    common = {
        "iterations": 15, "thread_count": 1, "verbose": 0, "depth": 3, "learning_rate": 0.3, "bootstrap_type": "No",
        "allow_writing_files": False, "random_strength": 0, "score_function": "L2", "leaf_estimation_iterations": 1,
    }  # fmt: skip
    for name, kind, source, method in [
        ("RMSE", "real", HALF, "Newton"),
        ("Logloss", "binary", LOGISTIC, "Newton"),
        ("Poisson", "count", POISSON, "Newton"),
        ("Quantile:alpha=0.3", "real", {"quantile": {"q": 0.3}}, "Gradient"),
    ]:
        family = catboost.CatBoostClassifier if name == "Logloss" else catboost.CatBoostRegressor
        own = family(loss_function=name, leaf_estimation_method=method, boost_from_average=False, **common)
        own.fit(features, given[kind], sample_weight=weight)
        objective = boosting.catboost(source)
        chosen = {**common, **objective.params(given[kind])}
        model = catboost.CatBoostRegressor(loss_function=objective, **chosen)
        model.fit(features, given[kind], sample_weight=weight)
        scores = model.predict(features, prediction_type="RawFormulaVal")
        near(scores, own.predict(features, prediction_type="RawFormulaVal"), name)
    objective = boosting.catboost(SOFTMAX)
    chosen = {**common, **objective.params(given["classes"]), "iterations": 10}
    model = catboost.CatBoostClassifier(loss_function=objective, **chosen).fit(features[:300], given["classes"][:300])
    probabilities = objective.transform(model.predict(features, prediction_type="RawFormulaVal"))
    assert np.mean(probabilities.argmax(axis=1) == given["classes"]) > 0.8
    train, noisy, test, right = heavy_tailed(50)
    objective = boosting.catboost(CAUCHY, c=1.0)
    base = objective.base_score(noisy)
    pool = catboost.Pool(train, noisy, baseline=np.full(len(noisy), base))
    chosen = {**common, **objective.params(noisy), "iterations": 40}
    model = catboost.CatBoostRegressor(loss_function=objective, **chosen).fit(pool)
    error = np.mean(np.abs(model.predict(test) + base - right))
    assert error < 0.3, f"shifted by 50: {error}"


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    globals()[f"with_{LIBRARY}"]()
    print(f"{LIBRARY}: boosting done")
