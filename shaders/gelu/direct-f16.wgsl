enable f16;

// y = x / 2 * (1 + tanh(z)) = x / (1 + exp(-2 z)), z = sqrt(2 / pi) * (x + 0.044715 x^3).
{% set half = true %}
{% set operands = ["x"] %}
{% set result = "y" %}
{% set type = "vec4<f32>" if unit == 8 else "f32" %}
{% include "elementwise.wgsl" %}

fn apply(x: {{ type }}) -> {{ type }} {
    return x / (1.0 + exp(x * fma(x * x, {{ type }}(-0.071354814), {{ type }}(-1.5957691))));
}
