// n chains, each `steps` times x = x + dot4(y, w); y = y + dot4(x, w), where a word is four signed bytes. {{ CHAINS }} chains per
// invocation are independent of each other, so that latency is hidden without occupancy.
{% set ragged = n % (WG * CHAINS) != 0 or groups != fold_x(groups) * fold_y(groups) %}

@group(0) @binding(0) var<storage, read> state: array<vec2<i32>>;
@group(0) @binding(1) var<storage, read> weights: array<u32>;
@group(0) @binding(2) var<storage, read_write> result: array<vec2<i32>>;

@compute @workgroup_size({{ WG }}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let first = (group.y * {{ fold_x(groups) }}u + group.x) * {{ WG * CHAINS }}u + lane;
{% for c in range(CHAINS) %}
    let at{{ c }} = {% if ragged %}min(first + {{ c * WG }}u, {{ n - 1 }}u){% else %}first + {{ c * WG }}u{% endif %};
    let start{{ c }} = state[at{{ c }}];
    let w{{ c }} = weights[at{{ c }}];
    var x{{ c }} = start{{ c }}.x;
    var y{{ c }} = start{{ c }}.y;
{% endfor %}

{% macro step(indent) %}
{% for c in range(CHAINS) %}
{{ indent }}x{{ c }} += dot4I8Packed(bitcast<u32>(y{{ c }}), w{{ c }});
{% endfor %}
{% for c in range(CHAINS) %}
{{ indent }}y{{ c }} += dot4I8Packed(bitcast<u32>(x{{ c }}), w{{ c }});
{% endfor %}
{% endmacro %}
    for (var i = 0u; i < {{ steps // UNROLL }}u; i++) {
{% for u in range(UNROLL) %}
{{ step("        ") }}
{%- endfor %}
    }
{% for u in range(steps % UNROLL) %}
{{ step("    ") }}
{%- endfor %}

{% for c in range(CHAINS) %}
{% if ragged %}
    if (first + {{ c * WG }}u < {{ n }}u) {
        result[at{{ c }}] = vec2<i32>(x{{ c }}, y{{ c }});
    }
{% else %}
    result[at{{ c }}] = vec2<i32>(x{{ c }}, y{{ c }});
{% endif %}
{% endfor %}
}
