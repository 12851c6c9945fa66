{% set hint = UNROLL %}
{% include "coop-attention.wgsl" %}
