{% set acc, mode, hint = "f16", "prefetch", 0 %}
{% include "coop-gemm.wgsl" %}
