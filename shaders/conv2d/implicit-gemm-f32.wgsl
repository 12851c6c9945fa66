// y = w * patches of x: a {{ bm }} x {{ bn }} tile per workgroup, {{ tm }} x {{ tn }} per invocation, {{ BK }} of k at a time.
{% set operand = "f32" %}
{% set acc = "f32" %}
{% set out = "f32" %}
{% set planes = 1 %}
{% set splits = 1 %}
{% set clamped = false %}
{% set ragged_m = m % bm != 0 %}
{% set ragged_n = n % bn != 0 %}
{% set ragged_k = k % BK != 0 %}
{% include "image-loads.wgsl" %}

{% include "shared-tile.wgsl" %}
