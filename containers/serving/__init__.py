"""The embedded inference server: OpenAI, TGI and SageMaker routes over one small engine; CPU, or one CUDA device.

    python -m finetune_flows.containers.serving --root DIR --port 8080        # serves the model in DIR/model

From the outside in: `app` (routes) → `openai_api`, `tgi_api` (the `*_bodies` and `openai_replies` describe requests and replies) →
`service` (answers as text; `grammar_check` and `prompts` refuse what no engine should see) → `engine` (the interface of an
engine) → `transformers_engine` with `admission`, `batch`, `cache`, `prefix`, `linear`, `grammar` and `sampling`, or
`vllm_engine`. Only the engines and their helpers import torch, so that /ping answers before torch is loaded.
"""
