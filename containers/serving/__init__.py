"""The embedded inference server: OpenAI, TGI and SageMaker routes over one small engine; CPU, or one CUDA device.

    python -m finetune_flows.containers.serving --root DIR --port 8080        # serves the model in DIR/model

From the outside in: `app` (routes) → `openai_api`, `tgi_api` (requests and replies of each API) → `service` (one answer as
text) → `engine` (the interface of an engine) → `transformers_engine` with `admission`, `batch`, `cache`, `prefix`, `linear`
and `sampling`, or `vllm_engine`. Only the engines and their helpers import torch, so that /ping answers before torch is loaded.
"""
