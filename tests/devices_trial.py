"""Losses that take the samples of a batch together, on two devices that have a part of it each, beside one device.

    python tests/devices_trial.py mirrored | worker PORT PORT RANK | torch PORT RANK | jax

Run in processes of their own, for an engine of devices is one for each process.
"""

import json
import os
import sys
import warnings

import numpy as np
import pytest

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


# --- torch


def torch_worker(port, rank):
    """One of two processes under DistributedDataParallel: a module of torch's, and a loss of Keras's on torch."""
    os.environ.update({"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "GLOO_SOCKET_IFNAME": "lo"})
    import torch

    import lossdsl.torch

    torch.set_default_dtype(torch.float64)
    x, targets, weights, layer = data()
    x, w, layer = torch.tensor(x), torch.tensor(weights), torch.tensor(layer)
    targets = {name: torch.tensor(target) for name, target in targets.items()}
    cases = [
        (name, reduction, each, rows)
        for name in (SUPCON, CLIP, DICE, SPREAD)
        for reduction, each in (("mean", None), ("mean", w), ("sum", w), ("none", None))
        for rows in (slice(0, 5), slice(0, 6))
    ]
    made = [lossdsl.torch.Loss(name, reduction, **OPTIONS.get(name, {})) for name, reduction, _, _ in cases]

    def called(loss, case, rows):
        """The value, and the gradient in what the loss is given, by way of a sum that is not one of a batch."""
        name, reduction, weight, _ = case
        given = prediction(name, x @ layer, torch)[rows].requires_grad_()
        weight = weight if weight is None or (name == DICE and reduction != "none") else weight[rows]
        value = loss(given, targets[name][rows], None if name == DICE else weight)
        return value.detach(), torch.autograd.grad(value.sum(), given)[0]

    wanted = [called(loss, case, case[-1]) for loss, case in zip(made, cases, strict=True)]
    alone = torch_trained(torch, x, targets, w, layer, None)
    in_keras, parameter = keras_on_torch(x, targets, w, layer, slice(0, 5)), torch.tensor(5.0)
    learned = learned_scale(torch, x, targets, layer, parameter, slice(0, 5))
    torch.distributed.init_process_group("gloo", rank=rank, world_size=2)
    for loss, case, (value, slope) in zip(made, cases, wanted, strict=True):
        rows = halves(case[-1])[rank]
        found, gradient = called(loss, case, rows)
        what = f"{case[0]}, {case[1]}, {case[-1]}"
        is_spread = case[1] == "none" and case[0] != DICE
        close(found, value[rows] if is_spread else value, what)
        # What comes of each process is added up: all of it where each has the whole, else each sample once.
        close(gradient, slope[rows] * (1 if is_spread else 2), f"gradient of {what}")
    close(torch_trained(torch, x, targets, w, layer, rank), alone, "weights after training")
    close(keras_on_torch(x, targets, w, layer, halves(slice(0, 5))[rank]), in_keras, "Keras on torch")
    close(learned_scale(torch, x, targets, layer, parameter, halves(slice(0, 5))[rank]), learned, "a learned scale")
    part = halves(slice(0, 6))[rank]
    apart = lossdsl.torch.Loss(SUPCON, gather=None)(x[part] @ layer, targets[SUPCON][part])
    close(apart, lossdsl.load(SUPCON).numpy.mean(targets[SUPCON][part], (x[part] @ layer).numpy()), "a part, if asked")
    everybody = lossdsl.torch.Loss(SUPCON, gather=torch.distributed.new_group([0, 1]))
    close(everybody(x[part] @ layer, targets[SUPCON][part]), made[0](x[part] @ layer, targets[SUPCON][part]), "a group")
    given, again = (x[part] @ layer).requires_grad_(), []
    for loss in (made[0], torch.compile(made[0], backend="aot_eager")):
        again.append(torch.autograd.grad(loss(given, targets[SUPCON][part]), given)[0])
    close(*again, "compiled")
    with pytest.raises(lossdsl.LossShapeError, match="it is one sample"):
        made[0](given[0], targets[SUPCON][0])
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def learned_scale(torch, x, targets, layer, parameter, rows):
    """The gradient of a parameter of the loss, averaged over processes."""
    scale = torch.nn.Parameter(parameter.clone())
    loss = lossdsl.torch.Loss(CLIP, scale=scale)
    loss(prediction(CLIP, x @ layer, torch)[rows], targets[CLIP][rows]).backward()
    if torch.distributed.is_initialized():
        torch.distributed.all_reduce(scale.grad)
        scale.grad /= 2
    return scale.grad


def torch_trained(torch, x, targets, w, layer, rank):
    """A layer that was trained with three losses, on one device or as a part of two."""
    model = torch.nn.Linear(3, 4, bias=False)
    model.weight.data = layer.T.clone()
    losses = {name: lossdsl.torch.Loss(name, **OPTIONS.get(name, {})) for name in (SUPCON, CLIP, DICE)}
    run = model if rank is None else torch.nn.parallel.DistributedDataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), RATE)
    for rows in BATCHES:
        part = rows if rank is None else halves(rows)[rank]
        logits = run(x[part])
        optimizer.zero_grad()
        values = [
            loss(prediction(name, logits, torch), targets[name][part], w[part] if name == SUPCON else None)
            for name, loss in losses.items()
        ]
        sum(values).backward()
        optimizer.step()
    return model.weight.detach()


def keras_on_torch(x, targets, w, layer, rows):
    """Losses of Keras's on torch: their values."""
    import keras

    keras.config.set_floatx("float64")
    return [
        lossdsl.compile(name, reduction=reduction, **OPTIONS.get(name, {}))(
            targets[name][rows], prediction(name, x @ layer, __import__("torch"))[rows], w[rows]
        ).detach()
        for name, reduction in ((SUPCON, "mean_with_sample_weight"), (CLIP, "sum"), (DICE, "sum_over_batch_size"))
    ]


# --- JAX


def with_jax():
    """Two devices of one process: sharded arrays, shard_map and pmap with a named axis, DataParallel of Keras's."""
    import jax
    import jax.numpy as jnp
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    import lossdsl.jax

    assert len(jax.devices()) == 2
    mesh, rows = Mesh(np.array(jax.devices()), ("batch",)), PartitionSpec("batch")
    x, targets, weights, layer = data()
    part = slice(0, 6)
    x, w = x[part], weights[part]
    for name in (SUPCON, CLIP, DICE, SPREAD):
        t, options = targets[name][part], OPTIONS.get(name, {})
        for reduction, weight in (("mean", w), ("sum", None), ("none", None)) if name == SUPCON else (("mean", w),):
            weight, what = None if name == DICE else weight, f"{name}, {reduction}"
            alone = lossdsl.jax.loss(name, reduction, **options)
            named = lossdsl.jax.loss(name, reduction, axis_name="batch", **options)
            given = (x, t) if weight is None else (x, t, weight)

            def value(layer, x, t, w=None, loss=alone, name=name):
                return loss(prediction(name, x @ layer, jnp), t, w)

            def of_part(layer, *given, loss=named, value=value):
                return value(layer, *given, loss=loss)

            wanted = value(layer, *given)
            slope = jax.grad(lambda layer: value(layer, *given).sum())(layer)  # noqa: B023
            placed = [jax.device_put(each, NamedSharding(mesh, rows)) for each in given]
            found = jax.jit(jax.value_and_grad(lambda *a: value(*a).sum()))(layer, *placed)
            close(found[0], wanted.sum(), f"{what}, sharded")
            close(found[1], slope, f"gradient of {what}, sharded")
            is_spread = wanted.ndim > 0
            split = [each.reshape(2, 3, *each.shape[1:]) for each in given]
            on_each = jax.pmap(of_part, "batch", in_axes=(None, *[0] * len(given)))(layer, *split)
            close(on_each.reshape(-1), wanted if is_spread else [wanted, wanted], f"{what}, pmap")

            def trained(layer, *given):
                slope = jax.grad(lambda layer: of_part(layer, *given).sum())(layer)
                return jax.lax.pmean(slope, "batch")

            slopes = jax.pmap(trained, "batch", in_axes=(None, *[0] * len(given)))(layer, *split)
            close(slopes, [slope / (2 if is_spread else 1)] * 2, f"gradient of {what}, pmap")

            def mapped(layer, *given):
                spread = jax.shard_map(
                    lambda *a: jax.lax.pmean(of_part(*a).sum(), "batch"),
                    mesh=mesh, in_specs=(PartitionSpec(), *[rows] * len(given)), out_specs=PartitionSpec(),
                )  # fmt: skip
                return spread(layer, *given) * (2 if is_spread else 1)  # noqa: B023

            found = jax.jit(jax.value_and_grad(mapped))(layer, *given)
            close(found[0], wanted.sum(), f"{what}, shard_map")
            close(found[1], slope, f"gradient of {what}, shard_map")
    parts(jax, mesh, rows, x @ layer, targets[SUPCON][part])
    spread_by_keras()


def spread_by_keras():
    """DataParallel of Keras's on JAX: a loss sees the whole batch."""
    import keras

    keras.config.set_floatx("float64")
    x, targets, weights, _ = data()

    def trained():
        keras.utils.set_random_seed(SEED)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
        loss = lossdsl.compile(SUPCON, reduction="mean_with_sample_weight")
        model.compile(keras.optimizers.SGD(RATE), loss=loss)
        log = model.fit(x[:12], targets[SUPCON][:12], 6, 2, 0, shuffle=False, sample_weight=weights[:12]).history
        return log["loss"], model.get_weights()

    alone = trained()
    keras.distribution.set_distribution(keras.distribution.DataParallel())
    for found, wanted in zip(trained(), alone, strict=True):
        for one, other in zip(found, wanted, strict=True):
            close(one, other, "DataParallel of Keras's")


def parts(jax, mesh, rows, x, t):
    """Where a part is seen: told, unless it is meant."""
    from jax.sharding import PartitionSpec

    def mean(loss):
        def part(x, t):
            return jax.lax.pmean(loss(x, t), "batch")

        return jax.shard_map(part, mesh=mesh, in_specs=(rows, rows), out_specs=PartitionSpec())(x, t)

    halves = [lossdsl.load(SUPCON).numpy.mean(t[rows], x[rows]) for rows in (slice(0, 3), slice(3, 6))]
    with pytest.warns(UserWarning, match="supcon takes the samples of a batch together, and sees those of one device"):
        close(mean(lossdsl.jax.loss(SUPCON)), np.mean(halves), "a part")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        close(mean(lossdsl.jax.loss(SUPCON, axis_name=())), np.mean(halves), "a part that is meant")
        mean(lambda x, t: lossdsl.jax.loss("mse")(x, x + t[:, None]))
        jax.jit(lossdsl.jax.loss(SUPCON))(x, t)


if __name__ == "__main__":
    part, *more = sys.argv[1:]
    if part == "mirrored":
        mirrored()
    elif part == "worker":
        worker(more[:2], int(more[2]))
    elif part == "torch":
        torch_worker(more[0], int(more[1]))
    elif part == "jax":
        with_jax()
    print(f"{part}: devices done")
