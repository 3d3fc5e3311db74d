"""The application that most people would write: FastAPI, pydantic, PyTorch, one thread for the mathematics."""

import argparse

import torch
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from torch import nn

from service.data.catalog import FASHION_MNIST

torch.set_num_threads(1)
app = FastAPI()
model = nn.Sequential(
    nn.Conv2d(1, 6, 5, padding=2), nn.Sigmoid(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Sigmoid(), nn.AvgPool2d(2),
    nn.Flatten(), nn.Linear(400, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(), nn.Linear(84, 10),
).eval()  # fmt: skip


class Images(BaseModel):
    pixels: list[list[list[int]]]


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/api/models/lenet/predict")
async def predict(images: Images) -> dict[str, list[list[dict[str, str | float]]]]:
    x = torch.tensor(images.pixels, dtype=torch.float32).unsqueeze(1) / 255
    with torch.inference_mode():
        shares, best = model(x).softmax(1).topk(3)
    names = FASHION_MNIST.class_names
    return {
        "predictions": [
            [{"label": names[c], "probability": p} for c, p in zip(classes, row, strict=True)]
            for classes, row in zip(best.tolist(), shares.tolist(), strict=True)
        ]
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    uvicorn.run(app, port=parser.parse_args().port, log_level="warning", access_log=False)
