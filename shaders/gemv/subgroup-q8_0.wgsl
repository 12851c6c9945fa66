// y = w * x, w in blocks: a subgroup shares {{ ROWS }} row(s).
{% set format = "q8_0" %}
{% set subgroup = true %}
{% include "quantised-rows.wgsl" %}
