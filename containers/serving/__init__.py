"""The embedded inference server: OpenAI, TGI and SageMaker routes over one small engine; CPU, or one CUDA device.

    python -m finetune_flows.containers.serving --root DIR --port 8080        # the model lies in DIR/model

From the outside in: `app` (routes) → `openai_api`, `tgi_api` (what clients send and get) → `service` (one answer as text)
→ `engine` (what an engine is) → `transformers_engine` with `admission`, `batch`, `cache`, `prefix`, `linear`, `sampling`,
or `vllm_engine` (the only files that import torch).
"""
