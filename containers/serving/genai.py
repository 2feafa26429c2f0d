"""Serves a language model in ONNX Runtime's format for generation: `python -m finetune_flows.containers.serving.genai FOLDER WINDOW`.

It uses nothing but onnxruntime-genai, its tokenizer and its chat templates included, to answer as a user's program would.

    POST /v1/chat/completions   one choice, greedy; of the settings, max_tokens
    POST /tokenize              token ids of a chat

One request at a time. It prints its address when the model is loaded.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import onnxruntime_genai


class Model:
    """The model, its tokenizer, and the tokens that end an answer."""

    def __init__(self, folder: Path, window: int) -> None:
        self.model = onnxruntime_genai.Model(str(folder))
        self.tokenizer = onnxruntime_genai.Tokenizer(self.model)
        self.window = window
        ends = json.loads((folder / "genai_config.json").read_text(encoding="utf-8"))["model"]["eos_token_id"]
        self.ends = {*ends} if isinstance(ends, list) else {ends}

    def tokenize(self, body: dict[str, Any]) -> dict[str, Any]:
        """The token ids of the messages, with the beginning of an answer."""
        messages = json.dumps(body["messages"], ensure_ascii=False)
        text = self.tokenizer.apply_chat_template(messages, add_generation_prompt=True)
        return {"tokens": [int(token) for token in self.tokenizer.encode(text)]}

    def chat(self, body: dict[str, Any]) -> dict[str, Any]:
        """A chat completion."""
        prompt = self.tokenize(body)["tokens"]
        settings = onnxruntime_genai.GeneratorParams(self.model)
        settings.set_search_options(max_length=min(len(prompt) + body["max_tokens"], self.window), do_sample=False)
        generator = onnxruntime_genai.Generator(self.model, settings)
        generator.append_tokens(prompt)
        answer: list[int] = []
        while not generator.is_done():
            generator.generate_next_token()
            answer.append(int(generator.get_next_tokens()[0]))
        ended = bool(answer) and answer[-1] in self.ends
        text = self.tokenizer.decode(answer[:-1] if ended else answer)
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop" if ended else "length"}
        return {"choices": [choice], "usage": {"prompt_tokens": len(prompt), "completion_tokens": len(answer)}}


def serve(model: Model) -> None:
    """Answers requests on a free port of this machine, until a signal ends the process."""
    routes = {"/v1/chat/completions": model.chat, "/tokenize": model.tokenize}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            """Answers with JSON, also what went wrong."""
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                status, reply = 200, routes[self.path](body)
            except (
                Exception
            ) as error:  # the library raises RuntimeError for a template that it cannot render, and others
                status, reply = 500, {"error": {"message": str(error)[:500]}}
            content = json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: Any) -> None:
            """Nothing: the comparison shows progress."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    print(f"serving with onnxruntime-genai on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    serve(Model(Path(sys.argv[1]), int(sys.argv[2])))
