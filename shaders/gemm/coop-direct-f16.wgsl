{% set acc = "f16" %}
{% include "coop-gemm-direct.wgsl" %}
