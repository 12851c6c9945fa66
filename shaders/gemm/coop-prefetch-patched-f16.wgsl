{% set acc, mode, hint = "f16", "prefetch", UNROLL %}
{% include "coop-gemm.wgsl" %}
