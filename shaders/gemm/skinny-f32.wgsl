// c = a * b: {{ LANES }} lane(s) share {{ rows }} row(s) and walk along k together; {{ cols }} group(s) of four columns.
{% set operand = "f32" %}
{% set acc = "f32" %}
{% set out = "f32" %}
{% set planes = 1 %}
{% set splits = 1 %}
{% set clamped = true %}
{% set ragged_m = m % (sets * rows) != 0 or groups != fold_x(groups) * fold_y(groups) %}
{% set ragged_n = ceil_div(n, 4) % cols != 0 %}
{% set ragged_k = false %}
{% set quads_n = ceil_div(n, 4) %}
{% include "matrix-loads.wgsl" %}
{% if LANES > 1 %}

var<workgroup> partial: array<vec4<f32>, {{ GROUP * rows * cols }}>;
{% endif %}

@compute @workgroup_size({{ GROUP }}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) id: u32) {
    let lane = id % {{ LANES }}u;
    let tile = group.y * {{ fold_x(groups) }}u + group.x;
    let row = (tile / {{ strips }}u * {{ sets }}u + id / {{ LANES }}u) * {{ rows }}u;
    let col = tile % {{ strips }}u * {{ cols }}u;
{% for r in range(rows) %}
    let row{{ r }} = {% if ragged_m %}min(row + {{ r }}u, {{ m - 1 }}u){% else %}row + {{ r }}u{% endif %};
{% for j in range(cols) %}
    var sum{{ r }}_{{ j }} = vec4<f32>();
{% endfor %}
{% endfor %}
{% for j in range(cols) %}
    let col{{ j }} = {% if ragged_n %}min(col + {{ j }}u, {{ quads_n - 1 }}u){% else %}col + {{ j }}u{% endif %};
{% endfor %}

    for (var i = lane; i < {{ steps }}u; i += {{ LANES }}u) {
{% for r in range(rows) %}
        let a{{ r }} = load_a(row{{ r }}, i);
{% endfor %}
{% for part in ["x", "y", "z", "w"] %}
{% set step = loop.index0 %}
{% for j in range(cols) %}
        let b{{ step }}_{{ j }} = load_b(4u * i + {{ step }}u, col{{ j }});
{% for r in range(rows) %}
        sum{{ r }}_{{ j }} = fma(vec4<f32>(a{{ r }}.{{ part }}), b{{ step }}_{{ j }}, sum{{ r }}_{{ j }});
{% endfor %}
{% endfor %}
{% endfor %}
    }
{% if k % 4 != 0 %}
    // The rest of k, by the first lane.
    for (var i = {{ 4 * steps }}u + lane * {{ k % 4 }}u; i < {{ k }}u; i++) {
{% for j in range(cols) %}
        let b{{ j }} = load_b(i, col{{ j }});
{% for r in range(rows) %}
        sum{{ r }}_{{ j }} = fma(vec4<f32>(load_a_one(row{{ r }}, i)), b{{ j }}, sum{{ r }}_{{ j }});
{% endfor %}
{% endfor %}
    }
{% endif %}
{% if LANES > 1 %}

{% for r in range(rows) %}
{% for j in range(cols) %}
    partial[{{ (r * cols + j) * GROUP }}u + id] = sum{{ r }}_{{ j }};
{% endfor %}
{% endfor %}
{% for width in [32, 16, 8, 4, 2, 1] if width < LANES %}
    workgroupBarrier();
    if (lane < {{ width }}u) {
{% for at in range(rows * cols) %}
        partial[{{ at * GROUP }}u + id] += partial[{{ at * GROUP + width }}u + id];
{% endfor %}
    }
{% endfor %}
    // Lane 0 wrote the last sums itself, so it may read them without another barrier.
    if (lane == 0u) {
{% for r in range(rows) %}
{% for j in range(cols) %}
        store_c(row + {{ r }}u, col + {{ j }}u, partial[{{ (r * cols + j) * GROUP }}u + id]);
{% endfor %}
{% endfor %}
    }
{% else %}
{% for r in range(rows) %}
{% for j in range(cols) %}
    store_c(row + {{ r }}u, col + {{ j }}u, sum{{ r }}_{{ j }});
{% endfor %}
{% endfor %}
{% endif %}
}
