"""Losses that take the samples of a batch together, on two devices that have a part of it each, beside one device.

    python tests/devices_trial.py mirrored | worker PORT PORT RANK

Run in processes of their own, for an engine of devices is one for each process.
"""

import json
import os
import sys

import numpy as np

import lossdsl

SEED, RATE = 20261130, 0.5
SUPCON, CLIP, DICE = "supcon", "clip_contrastive", "dice"
SPREAD = "loss spread(t, x)\nmean(abs(x - mean[batch](x)) - t)"
OPTIONS = {CLIP: {"scale": 5.0}, DICE: {"axis": None}}
ROWS = 17  # of which six are a batch: the last one is ragged
BATCHES = [slice(start, min(start + 6, ROWS)) for start in range(0, ROWS, 6)]


def data():
    """Inputs, a target for each loss, weights of samples, and the weights of a layer."""
    rng = np.random.default_rng(SEED)
    x, directions = rng.normal(size=(ROWS, 3)), rng.normal(size=(ROWS, 4))
    t = {
        SUPCON: rng.integers(0, 2, ROWS),
        CLIP: directions / np.linalg.norm(directions, axis=-1, keepdims=True),
        DICE: rng.integers(0, 2, (ROWS, 4)).astype(float),
        SPREAD: rng.uniform(size=(ROWS, 4)),
    }
    return x, t, rng.uniform(0.5, 2.0, ROWS), rng.normal(size=(3, 4)) / 2


def prediction(name, logits, library):
    """What a loss is given: unit vectors, shares, or whatever comes."""
    if name == CLIP:
        return logits / library.sqrt((logits**2).sum(-1))[:, None]
    return 1 / (1 + library.exp(-logits)) if name == DICE else logits


def halves(rows):
    """The two parts of a slice of the data; the first has one sample more where they are uneven."""
    middle = rows.start + (rows.stop - rows.start + 1) // 2
    return slice(rows.start, middle), slice(middle, rows.stop)


def close(found, wanted, what, tolerance=1e-12):
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance, err_msg=what)


# --- TensorFlow


def one_device(loss, x, t, w, mask=None):
    """Value of a loss of Keras's, and its gradient in the prediction."""
    import tensorflow as tf

    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        given = tf.identity(x)
        if mask is not None:
            given._keras_mask = tf.constant(mask)
        value = loss(t, given, w)
    return value, tape.gradient(value, x)


def mirrored():
    """MirroredStrategy on two devices of one process: value and gradient of parts, and training by `fit`."""
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    import keras

    keras.config.set_floatx("float64")
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    x, targets, weights, layer = data()

    def on_both(loss, given, t, w, parts, mask):
        def distributed(array):
            if array is None:
                return None
            return strategy.experimental_distribute_values_from_function(
                lambda context: tf.constant(array[parts[context.replica_id_in_sync_group]])
            )

        found = strategy.run(lambda *args: one_device(loss, *args), tuple(map(distributed, (given, t, w, mask))))
        return [[each.numpy() for each in strategy.experimental_local_results(one)] for one in found]

    even, ragged, empty = (slice(0, 3), slice(3, 6)), (slice(0, 3), slice(3, 5)), (slice(0, 4), slice(4, 4))
    for name in (SUPCON, CLIP, DICE, SPREAD):
        given, t = prediction(name, x @ layer, np), targets[name]
        twin = lossdsl.load(name, **OPTIONS.get(name, {})).numpy
        for parts, reduction, w in (
            (ragged, "sum_over_batch_size", None),
            (ragged, "sum", weights),
            (ragged, "mean_with_sample_weight", weights),
            (ragged, None, None),
            (even, "mean", weights),
            (empty, "mean_with_sample_weight", weights),
        ):
            rows, what = slice(0, parts[1].stop), f"{name}, {reduction}, {parts}"
            loss = lossdsl.compile(name, reduction=reduction, **OPTIONS.get(name, {}))
            mask = np.arange(ROWS) % 3 > 0 if name == SPREAD and reduction is not None else None
            value, slope = one_device(loss, *(one if one is None else one[rows] for one in (given, t, w, mask)))
            values, slopes = on_both(loss, given, t, w, parts, mask)
            if reduction is None:
                close(np.concatenate(values), value, what)
                close(value, np.broadcast_to(twin(t[rows], given[rows]), value.shape), f"{what}, by numpy")
                close(called(strategy, loss, t, given, parts), value, f"{what}, by call")
            else:
                close(sum(values), value, what)
            close(np.concatenate(slopes), slope, f"gradient of {what}")
    columns = lossdsl.compile("mae", axis=0)  # the batch plays `last`: a value a column
    close(sum(on_both(columns, given, t, None, ragged, None)[0]), np.mean(np.abs(t - given)[:5]), "columns")
    fused(strategy, keras)
    one, two = trained(tf.distribute.get_strategy(), keras), trained(strategy, keras)
    assert one[0].keys() >= {"loss", "a_loss", "b_loss", "c_loss", "a_supcon", "a_weighted"}
    for key, found in two[0].items():
        close(found, one[0][key], key)
    for found, wanted in zip(two[1], one[1], strict=True):
        close(found, wanted, "weights after fit")
    close(two[2], one[2], "evaluate")


def called(strategy, loss, t, given, parts):
    """What `call` gives on each of the replicas."""
    import tensorflow as tf

    def on_one():
        part = parts[tf.distribute.get_replica_context().replica_id_in_sync_group]
        return loss.call(t[part], given[part])

    return np.concatenate([one.numpy() for one in strategy.experimental_local_results(strategy.run(on_one))])


def fused(strategy, keras):
    """A last layer inside of the loss, whose places meet across the batch: value, and gradients of the layer."""
    import tensorflow as tf

    x, t, _, _ = data()
    rows, parts = slice(0, 5), (slice(0, 3), slice(3, 5))
    with strategy.scope():
        keras.utils.set_random_seed(SEED)
        head = lossdsl.FusedDense(4, "loss f(t: label, x)\nmean[all if t != 2](log_softmax(x)[t])^2", reduction="mean")
        head.build((None, 3))

    def on_one(rows=rows):
        context = tf.distribute.get_replica_context()
        rows = parts[context.replica_id_in_sync_group] if context.num_replicas_in_sync > 1 else rows
        given = tf.constant(x[rows])
        with tf.GradientTape() as tape:
            tape.watch(given)
            value = head.loss(t[SUPCON][rows], head(given))
        return value, tape.gradient(value, given)

    value, slope = on_one()
    values, slopes = (strategy.experimental_local_results(one) for one in strategy.run(on_one))
    close(sum(values), value, "fused")
    close(np.concatenate(slopes), slope, "gradient of what is fused")


def trained(strategy, keras):
    """Logs, weights and an evaluation of a model with three such losses, under weights of samples."""
    x, t, w, _ = data()
    with strategy.scope():
        keras.utils.set_random_seed(SEED)
        given = keras.Input((3,))
        a, b, c = (keras.layers.Dense(4, activation, name=name)(given) for name, activation in
                   (("a", None), ("b0", None), ("c", "sigmoid")))  # fmt: skip
        b = keras.layers.UnitNormalization(name="b")(b)
        model = keras.Model(given, {"a": a, "b": b, "c": c})
        names = {"a": SUPCON, "b": CLIP, "c": DICE}
        model.compile(
            keras.optimizers.SGD(RATE),
            loss={
                "a": lossdsl.compile(SUPCON, reduction="mean_with_sample_weight"),
                "b": lossdsl.compile(CLIP, **OPTIONS[CLIP]),
                "c": lossdsl.losses.Dice(reduction="sum"),
            },
            metrics={"a": [lossdsl.metric(SUPCON)]},
            weighted_metrics={"a": [lossdsl.metric(SUPCON, name="weighted")]},
        )
    y = {key: t[name] for key, name in names.items()}
    sample_weight = dict.fromkeys(names, w)
    log = model.fit(x, y, batch_size=6, epochs=2, shuffle=False, verbose=0, sample_weight=sample_weight).history
    scores = model.evaluate(x, y, batch_size=6, verbose=0, sample_weight=sample_weight)
    return log, model.get_weights(), scores


def worker(ports, rank):
    """One of two workers under MultiWorkerMirroredStrategy, in a loop of its own: there Keras's `fit` does not run."""
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    os.environ["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": rank}})
    import tensorflow as tf

    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    import keras

    keras.config.set_floatx("float64")
    assert strategy.num_replicas_in_sync == 2
    x, targets, weights, layer = data()
    losses = {
        SUPCON: lossdsl.compile(SUPCON, reduction="mean_with_sample_weight"),
        CLIP: lossdsl.compile(CLIP, **OPTIONS[CLIP]),
        DICE: lossdsl.compile(DICE, axis=None, reduction="sum"),
    }
    with strategy.scope():
        shared = tf.Variable(layer)
    alone = tf.Variable(layer)

    def step(variable, x, t, w):
        with tf.GradientTape() as tape:
            logits = x @ variable
            values = [
                loss(t[name], logits if name == SUPCON else shaped(tf, name, logits), w)
                for name, loss in losses.items()
            ]
            value = sum(values)
        slope = tape.gradient(value, variable)
        context = tf.distribute.get_replica_context()
        if context is not None:
            slope = context.all_reduce("sum", slope)
            values = context.all_reduce("sum", values)
        variable.assign_sub(RATE * slope)
        return values

    together = tf.function(lambda *args: step(shared, *args), reduce_retracing=True)
    for rows in BATCHES:
        part = halves(rows)[rank]
        wanted = step(alone, *given_rows(x, targets, weights, rows))
        close(strategy.run(together, given_rows(x, targets, weights, part)), wanted, f"losses of {rows}")
        close(shared.numpy(), alone.numpy(), f"weights after {rows}")


def shaped(tf, name, logits):
    return tf.linalg.normalize(logits, axis=-1)[0] if name == CLIP else tf.sigmoid(logits)


def given_rows(x, targets, weights, rows):
    return x[rows], {name: target[rows] for name, target in targets.items()}, weights[rows]


if __name__ == "__main__":
    part, *more = sys.argv[1:]
    if part == "mirrored":
        mirrored()
    elif part == "worker":
        worker(more[:2], int(more[2]))
    print(f"{part}: devices done")
