"""Settings of an export."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from .forms import Format, Lowering, OnFail, Rule, Target


class ExportSettings(BaseModel):
    """What is written, and what the written files have to pass."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    formats: tuple[Format, ...] = Field(
        ("float16", "int8"), min_length=1, description="files to write"
    )
    recurrent: Lowering = Field(
        "auto",
        description="how recurrent layers compute: in int8 as a loop of integers (int8_loop), as "
        "the converter's loop in float with int8 weights (while), or step after step written out "
        "(unroll); in float16, which has no int8_loop, as while or unroll; auto tries the smallest "
        "first, integers before floats, and takes the first whose checks pass; step makes a file "
        "of one step, with states as inputs and outputs, also of causal networks without such "
        "layers; fused_lstm takes the runtime's own LSTM "
        "operator, for networks whose recurrent layers are all LSTM: smaller, but a file that "
        "keeps its state from one clip to the next, and must be reset before each by "
        "reset_all_variables()",
    )
    target: Target = Field(
        "phone",
        description="phone: runtimes with all operators; tflm: the int8 file must also run in "
        "TensorFlow Lite Micro, with the same answers, and is written as C++ sources, too "
        "(model_int8.h, model_int8.cc)",
    )
    int4: bool = Field(
        False,
        description="try the int8 file with kernels of 4 bits first, and take it where it passes "
        "the checks: half as large where kernels are most of it, and coarser",
    )
    budget: int | None = Field(
        None, ge=1, description="most bytes of a file; null: as many as it takes"
    )
    arena_bytes: int | None = Field(
        None,
        ge=1,
        description="for the target tflm, most bytes of memory that the int8 file may need while "
        "it runs; null: as many as it takes",
    )
    rule: Rule = Field(
        "file",
        description="what counts: the bytes of the whole file, with all that is in it; non-zero "
        "parameters times the bytes each has in the file, without batch and input normalisation "
        "(dcase2020, whose budget is 512000); or trainable parameters times four (float32_params)",
    )
    agreement: float = Field(
        0.98, ge=0, le=1, description="least share of decisions that equal the Keras model's"
    )
    error: float = Field(
        0.02,
        ge=0,
        le=1,
        description="most that outputs may differ from the Keras model's on average, as a share of "
        "their range, for tasks of numbers: binary and regression",
    )
    accuracy_drop: float = Field(
        0.02,
        ge=0,
        le=1,
        description="most accuracy that a file may lose; proven where the upper 95 % bound of the "
        "loss on the test clips is no more",
    )
    delegated: float = Field(
        0.0, ge=0, le=1, description="least share of operators that XNNPACK, a fast library, takes"
    )
    runtime: str = Field(
        "2.16.1",
        pattern=r"^\d+\.\d+\.\d+$",
        description="newest TensorFlow Lite runtime that a file may need; 2.16.1 is the last "
        "tensorflow-lite for Android",
    )
    repeat: bool = Field(
        True, description="convert twice, each in a process of its own: the bytes must be the same"
    )
    on_fail: OnFail = Field(
        "next-form",
        description="a form with a failed check gives way to the next one, and where none passes "
        "the export ends with an error (next-form); the first form that converts is kept, and a "
        "failed check is an error (error) or only reported (report)",
    )
    waveform: bool = Field(
        False,
        description="also write files that take the waveform, with the front end and the labels "
        "in them, as MediaPipe's AudioClassifier loads them; they count whole",
    )
    sparsity: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="share of every kernel that is made zero before the export, the smallest "
        "weights, with fine-tuning on the training clips; smaller under the rule dcase2020 and "
        "when compressed, not as a file",
    )
    qat: int | None = Field(
        None,
        ge=1,
        description="epochs of quantisation-aware fine-tuning on the training clips before the "
        "export, with weights and outputs rounded as in the int8 file, those of recurrent layers "
        "apart; not together with sparsity",
    )
    clusters: int | None = Field(
        None,
        ge=2,
        description="most different weights that a kernel of a convolution or dense layer may "
        "have: they are grouped round so many values, with fine-tuning on the training clips "
        "before the export; smaller when compressed, not as a file; not together with sparsity or "
        "qat",
    )
    tuning_epochs: int = Field(
        10, ge=1, description="epochs of fine-tuning for sparsity and for clusters"
    )
    tuning_rate: float = Field(
        0.001, gt=0, description="first learning rate of fine-tuning, falling to zero"
    )
    calibration_clips: int = Field(
        40, ge=1, description="training clips that set the ranges of the integer file"
    )
    latency_runs: int = Field(50, ge=1, description="timed runs of a file, after five untimed")
    time_limit: float = Field(900, gt=0, description="most seconds that one conversion may take")
    memory_limit: int = Field(
        8_000_000_000, ge=1, description="most bytes of memory that one conversion may hold"
    )

    @property
    def tuned(self) -> bool:
        """Whether the model is fine-tuned before its export."""
        return any(each is not None for each in (self.sparsity, self.qat, self.clusters))
