{% set acc, mode, hint = "f32", "staged", 0 %}
{% include "coop-gemm.wgsl" %}
