// y = w * x, w in blocks: {{ LANES }} lane(s) share {{ ROWS }} row(s).
{% set format = "q4_k" %}
{% set subgroup = false %}
{% include "quantised-rows.wgsl" %}
