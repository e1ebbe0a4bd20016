"""TFLearn's `config`: what its scripts set up before they build a network."""

from __future__ import annotations


def init_graph(
    seed: int | None = None,
    log_device: bool = False,
    num_cores: int = 0,
    gpu_memory_fraction: float = 0,
    soft_placement: bool = True,
) -> None:
    """Do nothing: Keras 3 needs no graph, so that scripts which set one up run as they are.

    Args:
        seed: Counterpart: `keras.utils.set_random_seed(seed)`.
        log_device: Counterpart: `tf.debugging.set_log_device_placement`.
        num_cores: Counterpart: `tf.config.threading.set_intra_op_parallelism_threads`.
        gpu_memory_fraction: Counterpart: `tf.config.set_logical_device_configuration`.
        soft_placement: Counterpart: `tf.config.set_soft_device_placement`.
    """
