// y = exp(x - max(x)) / sum(exp(x - max(x))), row by row: {{ LANES }} lane(s) per row.
{% set type = "vec4<f32>" if unit == 4 else "f32" %}
{% set kept = per <= KEEP %}
{% set full = units // LANES %}
{% set rest = units % LANES %}
{% set ragged = rows != groups * sets or groups != fold_x(groups) * fold_y(groups) %}

// Below every finite f32 that a row holds, and small enough that its exponential is 0.
const LOWEST = -3.4028234e38;

@group(0) @binding(0) var<storage, read> x: array<{{ type }}>;
@group(0) @binding(1) var<storage, read_write> y: array<{{ type }}>;
{% if LANES > 1 %}

var<workgroup> partial: array<f32, {{ GROUP }}>;
{% endif %}

@compute @workgroup_size({{ GROUP }}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) id: u32) {
    let lane = id % {{ LANES }}u;
    let row = (group.y * {{ fold_x(groups) }}u + group.x) * {{ sets }}u + id / {{ LANES }}u;
    // Lanes without a row of their own repeat the last one, so that all of them reach the barriers.
    let start = {% if ragged %}min(row, {{ rows - 1 }}u){% else %}row{% endif %} * {{ units }}u + lane;

    var highest = {{ type }}(LOWEST);
{% if kept %}
{% for i in range(per) %}
    var x{{ i }} = {{ type }}(LOWEST);
{% if rest != 0 and loop.last %}
    if (lane < {{ rest }}u) {
        x{{ i }} = x[start + {{ i * LANES }}u];
    }
{% else %}
    x{{ i }} = x[start + {{ i * LANES }}u];
{% endif %}
    highest = max(highest, x{{ i }});
{% endfor %}
{% else %}
    for (var i = 0u; i < {{ full }}u; i++) {
        highest = max(highest, x[start + i * {{ LANES }}u]);
    }
{% if rest != 0 %}
    if (lane < {{ rest }}u) {
        highest = max(highest, x[start + {{ full * LANES }}u]);
    }
{% endif %}
{% endif %}
    var top = {{ "max(max(highest.x, highest.y), max(highest.z, highest.w))" if unit == 4 else "highest" }};
{% if LANES > 1 %}
    partial[id] = top;
{% for width in [128, 64, 32, 16, 8, 4, 2, 1] if width < LANES %}
    workgroupBarrier();
    if (lane < {{ width }}u) {
        partial[id] = max(partial[id], partial[id + {{ width }}u]);
    }
{% endfor %}
    workgroupBarrier();
    top = partial[id - lane];
    // All have read the maximum before the array takes the sums.
    workgroupBarrier();
{% endif %}

    var sum = {{ type }}();
{% if kept %}
{% for i in range(per) %}
    x{{ i }} = exp(x{{ i }} - top);
    sum += x{{ i }};
{% endfor %}
{% else %}
    for (var i = 0u; i < {{ full }}u; i++) {
        sum += exp(x[start + i * {{ LANES }}u] - top);
    }
{% if rest != 0 %}
    if (lane < {{ rest }}u) {
        sum += exp(x[start + {{ full * LANES }}u] - top);
    }
{% endif %}
{% endif %}
    var total = {{ "dot(sum, vec4<f32>(1.0))" if unit == 4 else "sum" }};
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
    let scale = 1.0 / total;
{% if ragged %}
    if (row >= {{ rows }}u) {
        return;
    }
{% endif %}
{% if kept %}
{% for i in range(per) %}
{% if rest != 0 and loop.last %}
    if (lane < {{ rest }}u) {
        y[start + {{ i * LANES }}u] = x{{ i }} * scale;
    }
{% else %}
    y[start + {{ i * LANES }}u] = x{{ i }} * scale;
{% endif %}
{% endfor %}
{% else %}
    for (var i = 0u; i < {{ full }}u; i++) {
        y[start + i * {{ LANES }}u] = exp(x[start + i * {{ LANES }}u] - top) * scale;
    }
{% if rest != 0 %}
    if (lane < {{ rest }}u) {
        y[start + {{ full * LANES }}u] = exp(x[start + {{ full * LANES }}u] - top) * scale;
    }
{% endif %}
{% endif %}
}
