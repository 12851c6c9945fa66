{% set hint = 0 %}
{% include "coop-attention.wgsl" %}
