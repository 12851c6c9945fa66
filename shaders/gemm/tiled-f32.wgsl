// c = a * b: each invocation owns {{ ROWS }} rows and {{ COLS }} groups of four columns, and keeps them in registers.
{% set ragged_rows = m % (WY * ROWS) != 0 %}
{% set ragged_cols = n4 % (WX * COLS) != 0 %}
{% set wide = n % 4 == 0 %}
{% set wide_a = k % 4 == 0 %}
{% set parts = ["x", "y", "z", "w"] %}

@group(0) @binding(0) var<storage, read> a: array<{{ "vec4<f32>" if wide_a else "f32" }}>;
@group(0) @binding(1) var<storage, read> b: array<{{ "vec4<f32>" if wide else "f32" }}>;
@group(0) @binding(2) var<storage, read_write> c: array<{{ "vec4<f32>" if wide else "f32" }}>;

// Four elements of b: row `i`, group `col` of four columns.
fn load_b(i: u32, col: u32) -> vec4<f32> {
{% if wide %}
    return b[i * {{ n4 }}u + col];
{% else %}
    let start = i * {{ n }}u;
    let first = col * 4u;
    return vec4<f32>(
        b[start + min(first, {{ n - 1 }}u)],
        b[start + min(first + 1u, {{ n - 1 }}u)],
        b[start + min(first + 2u, {{ n - 1 }}u)],
        b[start + min(first + 3u, {{ n - 1 }}u)],
    );
{% endif %}
}

fn store_c(row: u32, col: u32, value: vec4<f32>) {
{% if ragged_rows %}
    if (row >= {{ m }}u) {
        return;
    }
{% endif %}
{% if wide %}
{% if ragged_cols %}
    if (col >= {{ n4 }}u) {
        return;
    }
{% endif %}
    c[row * {{ n4 }}u + col] = value;
{% else %}
    let first = col * 4u;
    let start = row * {{ n }}u + first;
{% for part in parts %}
    if (first + {{ loop.index0 }}u < {{ n }}u) {
        c[start + {{ loop.index0 }}u] = value.{{ part }};
    }
{% endfor %}
{% endif %}
}

@compute @workgroup_size({{ WX }}, {{ WY }}, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
{% if WY == 1 %}
    let row = group.y * {{ ROWS }}u;
{% else %}
    let row = (group.y * {{ WY }}u + lane.y) * {{ ROWS }}u;
{% endif %}
    let col = group.x * {{ WX * COLS }}u + lane.x;
{% for r in range(ROWS) %}
    let row{{ r }} = {% if ragged_rows %}min(row + {{ r }}u, {{ m - 1 }}u){% else %}row + {{ r }}u{% endif %};
    let start{{ r }} = row{{ r }} * {{ k4 if wide_a else k }}u;
{% endfor %}
{% for j in range(COLS) %}
    let col{{ j }} = {% if ragged_cols %}min(col + {{ j * WX }}u, {{ n4 - 1 }}u){% else %}col + {{ j * WX }}u{% endif %};
{% endfor %}
{% for r in range(ROWS) %}
{% for j in range(COLS) %}
    var sum{{ r }}_{{ j }} = vec4<f32>();
{% endfor %}
{% endfor %}

    for (var i = 0u; i < {{ k4 }}u; i++) {
{% for r in range(ROWS) %}
{% if wide_a %}
        let a{{ r }} = a[start{{ r }} + i];
{% else %}
        let at{{ r }} = start{{ r }} + 4u * i;
        let a{{ r }} = vec4<f32>(a[at{{ r }}], a[at{{ r }} + 1u], a[at{{ r }} + 2u], a[at{{ r }} + 3u]);
{% endif %}
{% endfor %}
{% for part in parts %}
{% set step = loop.index0 %}
{% for j in range(COLS) %}
        let b{{ step }}_{{ j }} = load_b(4u * i + {{ step }}u, col{{ j }});
{% endfor %}
{% for r in range(ROWS) %}
{% for j in range(COLS) %}
        sum{{ r }}_{{ j }} = fma(vec4<f32>(a{{ r }}.{{ part }}), b{{ step }}_{{ j }}, sum{{ r }}_{{ j }});
{% endfor %}
{% endfor %}
{% endfor %}
    }
{% for step in range(4 * k4, k) %}
    {
{% for j in range(COLS) %}
        let b{{ j }} = load_b({{ step }}u, col{{ j }});
{% endfor %}
{% for r in range(ROWS) %}
        let a{{ r }} = vec4<f32>(a[start{{ r }} + {{ step }}u]);
{% for j in range(COLS) %}
        sum{{ r }}_{{ j }} = fma(a{{ r }}, b{{ j }}, sum{{ r }}_{{ j }});
{% endfor %}
{% endfor %}
    }
{% endfor %}

{% for r in range(ROWS) %}
{% for j in range(COLS) %}
    store_c(row + {{ r }}u, col + {{ j * WX }}u, sum{{ r }}_{{ j }});
{% endfor %}
{% endfor %}
}
