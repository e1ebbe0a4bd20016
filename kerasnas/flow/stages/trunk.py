"""What a search over pretrained trunks computes before its candidates: activations, once a clip."""

from __future__ import annotations

from kerasnas.flow.stages.start import rehearse
from kerasnas.flow.task.frozen import has_trunks, open_frozen
from kerasnas.flow.task.session import Session
from kerasnas.models.pretrained.either import EitherSpace
from kerasnas.models.pretrained.space import PretrainedSpace


def prepare_trunk(session: Session) -> None:
    """Compute what the unpruned blocks of a trunk make of the clips; workers share it.

    Nothing is done for other spaces, where the cache has it already, or where it is computed
    elsewhere: on a cluster, or for candidates with features of their own.

    Raises:
        KerasnasError: What is enqueued is no candidate, or the file of the trunk has changed.
        TunerError: No candidate lies in the window.
    """
    if not has_trunks(session.task):
        return
    if not session.paths.journal.exists():
        rehearse(session.task)
    tuned = session.experiment.search.tune
    if session.cluster is not None or any(name.startswith("features.") for name in tuned):
        return
    space = session.task.space
    whole = space.pretrained if isinstance(space, EitherSpace) else space
    assert isinstance(whole, PretrainedSpace)
    with session.console.status("Running the first blocks of the trunk on all clips"):
        open_frozen(session.task, whole)
