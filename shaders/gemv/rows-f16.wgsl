enable f16;

// y = w * x: {{ LANES }} lane(s) share {{ ROWS }} row(s) of w.
{% set type = "vec4<f32>" if unit == 8 else "f32" %}
{% set full = units // LANES %}
{% set rest = units % LANES %}
{% set ragged = m != groups * sets * ROWS or groups != fold_x(groups) * fold_y(groups) %}

// 16 bytes of w.
struct Half8 {
    low: vec4<f16>,
    high: vec4<f16>,
}

@group(0) @binding(0) var<storage, read> w: array<{{ "Half8" if unit == 8 else "f16" }}>;
@group(0) @binding(1) var<storage, read> x: array<{{ type }}>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
{% if LANES > 1 %}

var<workgroup> partial: array<f32, {{ GROUP * ROWS }}>;
{% endif %}
{# Multiplies unit `at` of every row. #}
{% macro multiply(at, indent) %}
{% if unit == 8 %}
{{ indent }}let x_low = x[2u * {{ at }}];
{{ indent }}let x_high = x[2u * {{ at }} + 1u];
{% for r in range(ROWS) %}
{{ indent }}let w{{ r }} = w[start{{ r }} + {{ at }}];
{{ indent }}sum{{ r }} = fma(vec4<f32>(w{{ r }}.high), x_high, fma(vec4<f32>(w{{ r }}.low), x_low, sum{{ r }}));
{% endfor %}
{% else %}
{{ indent }}let x_at = x[{{ at }}];
{% for r in range(ROWS) %}
{{ indent }}sum{{ r }} = fma(f32(w[start{{ r }} + {{ at }}]), x_at, sum{{ r }});
{% endfor %}
{% endif %}
{% endmacro %}

@compute @workgroup_size({{ GROUP }}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) id: u32) {
    let lane = id % {{ LANES }}u;
    let row = ((group.y * {{ fold_x(groups) }}u + group.x) * {{ sets }}u + id / {{ LANES }}u) * {{ ROWS }}u;
{% for r in range(ROWS) %}
    let start{{ r }} = {% if ragged %}min(row + {{ r }}u, {{ m - 1 }}u){% else %}(row + {{ r }}u){% endif %} * {{ units }}u;
    var sum{{ r }} = {{ type }}();
{% endfor %}
{% if full // UNROLL > 0 %}
    for (var i = 0u; i < {{ full // UNROLL }}u; i++) {
{% for u in range(UNROLL) %}
        {
            let at = (i * {{ UNROLL }}u + {{ u }}u) * {{ LANES }}u + lane;
{{ multiply("at", "            ") }}        }
{% endfor %}
    }
{% endif %}
{% for u in range(full // UNROLL * UNROLL, full) %}
    {
        let at = {{ u * LANES }}u + lane;
{{ multiply("at", "        ") }}    }
{% endfor %}
{% if rest != 0 %}
    if (lane < {{ rest }}u) {
        let at = {{ full * LANES }}u + lane;
{{ multiply("at", "        ") }}    }
{% endif %}
{% for r in range(ROWS) %}
    let total{{ r }} = {{ "dot(sum" ~ r ~ ", vec4<f32>(1.0))" if unit == 8 else "sum" ~ r }};
{% endfor %}
{% if LANES > 1 %}
{% for r in range(ROWS) %}
    partial[{{ r * GROUP }}u + id] = total{{ r }};
{% endfor %}
{% for width in [128, 64, 32, 16, 8, 4, 2, 1] if width < LANES %}
    workgroupBarrier();
    if (lane < {{ width }}u) {
{% for r in range(ROWS) %}
        partial[{{ r * GROUP }}u + id] += partial[{{ r * GROUP + width }}u + id];
{% endfor %}
    }
{% endfor %}
    // Lane 0 wrote the last sums itself, so it may read them without another barrier.
    if (lane == 0u) {
{% for r in range(ROWS) %}
{% if ragged %}
        if (row + {{ r }}u < {{ m }}u) {
            y[row + {{ r }}u] = partial[{{ r * GROUP }}u + id];
        }
{% else %}
        y[row + {{ r }}u] = partial[{{ r * GROUP }}u + id];
{% endif %}
{% endfor %}
    }
{% else %}
{% for r in range(ROWS) %}
{% if ragged %}
    if (row + {{ r }}u < {{ m }}u) {
        y[row + {{ r }}u] = total{{ r }};
    }
{% else %}
    y[row + {{ r }}u] = total{{ r }};
{% endif %}
{% endfor %}
{% endif %}
}
