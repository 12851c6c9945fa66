// c[i] = a[i] * b[i]: {{ rows }} rows and {{ cols }} groups of four columns per invocation, in registers.
{% set operand = "f32" %}
{% set acc = "f32" %}
{% set out = "f32" %}
{% set planes = batch %}
{% set splits = 1 %}
{% set clamped = true %}
{% set ragged_m = m % (wy * rows) != 0 %}
{% set ragged_n = ceil_div(n, 4) % (wx * cols) != 0 %}
{% set ragged_k = false %}
{% include "matrix-loads.wgsl" %}

{% include "register-tile.wgsl" %}
