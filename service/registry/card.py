"""The model card, README.md: what a version is, its figures and its use, in Markdown with a YAML head."""

import json

from service.registry.draft import Draft


def model_card(name: str, version: int, draft: Draft) -> str:
    """Every figure is taken from the draft; none is written by hand."""
    metrics, test = draft.metrics, draft.metrics["test"]
    c, h, w = draft.network.input_shape
    classes = "\n".join(
        f"| {each['name']} | {each['support']:,} | {each['precision']:.3f} | {each['recall']:.3f} | {each['f1']:.3f} |"
        for each in test["classes"]
    )
    validation = _validation_row(metrics.get("validation"))
    layers = "\n".join(f"    {line}" for line in str(draft.network).splitlines())
    lineage = "\n".join(f"| {key} | `{_as_text(value)}` |" for key, value in draft.lineage.items())
    return f"""---
library_name: atelier
pipeline_tag: image-classification
datasets:
- {draft.dataset}
metrics:
- accuracy
tags: {json.dumps(list(draft.tags))}
model-index:
- name: {name}
  results:
  - task:
      type: image-classification
    dataset:
      name: {draft.dataset}
      type: {draft.dataset}
      split: test
    metrics:
    - type: accuracy
      value: {test["accuracy"]:.4f}
    - type: loss
      value: {test["loss"]:.4f}
---

# {name}, version {version}

{_warnings(draft)}A {draft.network.name} network of {draft.network.num_parameters:,} parameters that
classifies images into the {len(draft.class_names)} classes of {draft.dataset}.
It was trained in shards whose replicas were averaged.

| | loss | accuracy |
|---|---|---|
| train | {metrics["train_loss"]:.4f} | {metrics["train_accuracy"]:.4f} |
{validation}| test ({test["examples"]:,} images) | {test["loss"]:.4f} | {test["accuracy"]:.4f} |

Balanced accuracy on the test images, the mean recall of the classes: {test["balanced_accuracy"]:.4f}. Expected
calibration error: {test["calibration_error"]:.4f}.

![training curve](curve.png)

![confusion matrix](confusion.png)

![reliability diagram](reliability.png)

| class | examples | precision | recall | f1 |
|---|---|---|---|---|
{classes}

## The network

Input: float32 (n, {c}, {h}, {w}), pixels divided by 255. Output: logits (n, {len(draft.class_names)}).

{layers}

## Using it

With ONNX Runtime:

    session = onnxruntime.InferenceSession("model.onnx")
    logits, = session.run(None, {{"pixels": pixels}})

With PyTorch, into a module whose layers carry the names above (`{draft.network.table[0].name}`, ...):

    module.load_state_dict(safetensors.torch.load_file("weights.safetensors"))

## Limits

It answers with one of these classes whatever it is shown. The figures hold for images like those of the test set:
{h} by {w} pixels{" in colour" if c == 3 else ""}, prepared in the same way.

## Lineage

| | |
|---|---|
{lineage}
"""


def _warnings(draft: Draft) -> str:
    return "".join(f"> **Warning:** {warning}\n\n" for warning in draft.warnings)


def _validation_row(score: dict[str, float] | None) -> str:
    if not score:
        return ""
    which = f"validation ({score['examples']:,} training images held out)"
    return f"| {which} | {score['loss']:.4f} | {score['accuracy']:.4f} |\n"


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
