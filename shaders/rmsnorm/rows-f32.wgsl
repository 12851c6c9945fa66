// y = x / sqrt(mean(x^2) + 1e-5) * weight, row by row: {{ LANES }} lane(s) per row.
{% set type = "vec4<f32>" if unit == 4 else "f32" %}
{% set kept = per <= KEEP %}
{% set full = units // LANES %}
{% set rest = units % LANES %}
{% set ragged = rows != groups * sets or groups != fold_x(groups) * fold_y(groups) %}

@group(0) @binding(0) var<storage, read> x: array<{{ type }}>;
@group(0) @binding(1) var<storage, read> weight: array<{{ type }}>;
@group(0) @binding(2) var<storage, read_write> y: array<{{ type }}>;
{% if LANES > 1 %}

var<workgroup> partial: array<f32, {{ GROUP }}>;
{% endif %}

@compute @workgroup_size({{ GROUP }}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) id: u32) {
    let lane = id % {{ LANES }}u;
    let row = (group.y * {{ fold_x(groups) }}u + group.x) * {{ sets }}u + id / {{ LANES }}u;
    // Lanes without a row of their own repeat the last one, so that all of them reach the barriers.
    let start = {% if ragged %}min(row, {{ rows - 1 }}u){% else %}row{% endif %} * {{ units }}u + lane;
    var squares = {{ type }}();
{% if kept %}
{% for i in range(per) %}
    var x{{ i }} = {{ type }}();
{% if rest != 0 and loop.last %}
    if (lane < {{ rest }}u) {
        x{{ i }} = x[start + {{ i * LANES }}u];
    }
{% else %}
    x{{ i }} = x[start + {{ i * LANES }}u];
{% endif %}
    squares = fma(x{{ i }}, x{{ i }}, squares);
{% endfor %}
{% else %}
    for (var i = 0u; i < {{ full }}u; i++) {
        let value = x[start + i * {{ LANES }}u];
        squares = fma(value, value, squares);
    }
{% if rest != 0 %}
    if (lane < {{ rest }}u) {
        let value = x[start + {{ full * LANES }}u];
        squares = fma(value, value, squares);
    }
{% endif %}
{% endif %}
    var total = {{ "dot(squares, vec4<f32>(1.0))" if unit == 4 else "squares" }};
{% if LANES > 1 %}
    partial[id] = total;
{% for width in [128, 64, 32, 16, 8, 4, 2, 1] if width < LANES %}
    workgroupBarrier();
    if (lane < {{ width }}u) {
        partial[id] += partial[id + {{ width }}u];
    }
{% endfor %}
    workgroupBarrier();
    total = partial[id - lane];
{% endif %}
    let scale = inverseSqrt(total * {{ 1 / cols }} + 1e-5);
{% if ragged %}
    if (row >= {{ rows }}u) {
        return;
    }
{% endif %}
{% if kept %}
{% for i in range(per) %}
{% if rest != 0 and loop.last %}
    if (lane < {{ rest }}u) {
        y[start + {{ i * LANES }}u] = x{{ i }} * scale * weight[{{ i * LANES }}u + lane];
    }
{% else %}
    y[start + {{ i * LANES }}u] = x{{ i }} * scale * weight[{{ i * LANES }}u + lane];
{% endif %}
{% endfor %}
{% else %}
    for (var i = 0u; i < {{ full }}u; i++) {
        let at = i * {{ LANES }}u;
        y[start + at] = x[start + at] * scale * weight[at + lane];
    }
{% if rest != 0 %}
    if (lane < {{ rest }}u) {
        y[start + {{ full * LANES }}u] = x[start + {{ full * LANES }}u] * scale * weight[{{ full * LANES }}u + lane];
    }
{% endif %}
{% endif %}
}
