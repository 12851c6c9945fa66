// sums[j] is the sum of a[i * lanes + j] * b[i * lanes + j] over i. One invocation takes {{ COLS }} column(s) of {{ unit }} neighbouring lane(s).
{% set type = "vec4<f32>" if unit == 4 else "f32" %}
{% set rows = units // columns %}
{% set rest = units % columns %}
{% set ragged = columns != fold_x(groups) * fold_y(groups) * WG * COLS %}

@group(0) @binding(0) var<storage, read> a: array<{{ type }}>;
@group(0) @binding(1) var<storage, read> b: array<{{ type }}>;
@group(0) @binding(2) var<storage, read_write> sums: array<{{ type }}>;

@compute @workgroup_size({{ WG }}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let first = (group.y * {{ fold_x(groups) }}u + group.x) * {{ WG * COLS }}u + lane;
{% for c in range(COLS) %}
    let column{{ c }} = first + {{ c * WG }}u;
    var at{{ c }} = {% if ragged %}min(column{{ c }}, {{ columns - 1 }}u){% else %}column{{ c }}{% endif %};
{% for u in range(UNROLL) %}
    var sum{{ u }}_{{ c }} = {{ type }}();
{% endfor %}
{% endfor %}
    for (var i = 0u; i < {{ rows // UNROLL }}u; i++) {
{% for u in range(UNROLL) %}
{% for c in range(COLS) %}
        sum{{ u }}_{{ c }} = fma(a[at{{ c }} + {{ u * columns }}u], b[at{{ c }} + {{ u * columns }}u], sum{{ u }}_{{ c }});
{% endfor %}
{% endfor %}
{% for c in range(COLS) %}
        at{{ c }} += {{ UNROLL * columns }}u;
{% endfor %}
    }
{% for u in range(rows % UNROLL) %}
{% for c in range(COLS) %}
    sum{{ u }}_{{ c }} = fma(a[at{{ c }} + {{ u * columns }}u], b[at{{ c }} + {{ u * columns }}u], sum{{ u }}_{{ c }});
{% endfor %}
{% endfor %}
{% for c in range(COLS) %}
{% if rest != 0 %}
    if (column{{ c }} < {{ rest }}u) {
        sum0_{{ c }} = fma(a[at{{ c }} + {{ (rows % UNROLL) * columns }}u], b[at{{ c }} + {{ (rows % UNROLL) * columns }}u], sum0_{{ c }});
    }
{% endif %}
{% if ragged %}
    if (column{{ c }} < {{ columns }}u) {
{% else %}
    {
{% endif %}
        sums[column{{ c }}] = {% for u in range(UNROLL) %}{{ " + " if not loop.first }}sum{{ u }}_{{ c }}{% endfor %};
    }
{% endfor %}
}
