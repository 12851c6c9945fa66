// y = w * x, w in blocks: a subgroup shares {{ ROWS }} row(s).
{% set format = "q4_k" %}
{% set subgroup = true %}
{% include "quantised-rows.wgsl" %}
