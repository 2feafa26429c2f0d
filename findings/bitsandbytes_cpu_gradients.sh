#!/usr/bin/env bash
# bitsandbytes 0.50.2 on a CPU with AVX512-BF16: after one forward pass in eval mode, Linear4bit passes on no gradient.
#
# In eval mode the layer repacks its weight for an inference kernel (gemv_4bit) that has no autograd formula. Back in train
# mode it keeps the packed weight and the kernel. Its input then gets no gradient: every evaluation in the middle of a
# training damages the steps that follow, and where a residual connection carries some gradient past the layer, no error is
# raised. PyTorch warns once that no autograd kernel was registered. Setting support_avx512bf16_for_cpu = False on the layer
# keeps the usual kernel.
set -euo pipefail
grep -q avx512_bf16 /proc/cpuinfo || { echo "This needs a CPU with AVX512-BF16." && exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "torch==2.13.0" "bitsandbytes==0.50.2" numpy
"$folder/venv/bin/python" - <<'PYTHON'
import bitsandbytes as bnb
import torch


def gradients(packs: bool) -> tuple[float, float]:
    """Norm of the input's gradient, in train mode, before and after one forward pass in eval mode."""
    torch.manual_seed(0)
    layer = bnb.nn.Linear4bit(256, 256, bias=False, quant_type="nf4", compute_dtype=torch.float32).to("cpu")
    if not packs:
        layer.support_avx512bf16_for_cpu = False
    text = torch.randn(4, 256)

    def norm() -> float:
        layer.train()
        leaf = text.clone().requires_grad_(True)
        (layer(leaf) + 0 * leaf).sum().backward()  # the second term is a residual connection: without it, an error
        return round(float(leaf.grad.norm()), 3)

    before = norm()
    layer.eval()
    with torch.no_grad():
        layer(text)
    return before, norm()


as_installed, switched_off = gradients(packs=True), gradients(packs=False)
print(f"bitsandbytes {bnb.__version__}, torch {torch.__version__}: norm of the input's gradient before and after eval")
print(f"  as installed: {as_installed[0]}, {as_installed[1]}")
print(f"  support_avx512bf16_for_cpu = False: {switched_off[0]}, {switched_off[1]}")
expected = as_installed[0] > 0 and as_installed[1] == 0 and switched_off[0] == switched_off[1] == as_installed[0]
raise SystemExit(0 if expected else "The behaviour has changed.")
PYTHON
