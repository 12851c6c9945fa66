// y = silu(x * w_gate) * (x * w_up): each invocation owns {{ ROWS }} rows and {{ COLS }} groups of four columns of both products,
// so that x is read once for the two and neither product is written out.
{% set ragged_rows = tokens % (WY * ROWS) != 0 %}
{% set ragged_cols = f4 % (WX * COLS) != 0 %}
{% set wide = f % 4 == 0 %}
{% set wide_x = d % 4 == 0 %}
{% set parts = ["x", "y", "z", "w"] %}

@group(0) @binding(0) var<storage, read> x: array<{{ "vec4<f32>" if wide_x else "f32" }}>;
@group(0) @binding(1) var<storage, read> w_gate: array<{{ "vec4<f32>" if wide else "f32" }}>;
@group(0) @binding(2) var<storage, read> w_up: array<{{ "vec4<f32>" if wide else "f32" }}>;
@group(0) @binding(3) var<storage, read_write> y: array<{{ "vec4<f32>" if wide else "f32" }}>;

// Four elements of w_gate: row `i`, group `col` of four columns.
fn load_gate(i: u32, col: u32) -> vec4<f32> {
{% if wide %}
    return w_gate[i * {{ f4 }}u + col];
{% else %}
    let start = i * {{ f }}u;
    let first = col * 4u;
    return vec4<f32>(
        w_gate[start + min(first, {{ f - 1 }}u)],
        w_gate[start + min(first + 1u, {{ f - 1 }}u)],
        w_gate[start + min(first + 2u, {{ f - 1 }}u)],
        w_gate[start + min(first + 3u, {{ f - 1 }}u)],
    );
{% endif %}
}

// Four elements of w_up: row `i`, group `col` of four columns.
fn load_up(i: u32, col: u32) -> vec4<f32> {
{% if wide %}
    return w_up[i * {{ f4 }}u + col];
{% else %}
    let start = i * {{ f }}u;
    let first = col * 4u;
    return vec4<f32>(
        w_up[start + min(first, {{ f - 1 }}u)],
        w_up[start + min(first + 1u, {{ f - 1 }}u)],
        w_up[start + min(first + 2u, {{ f - 1 }}u)],
        w_up[start + min(first + 3u, {{ f - 1 }}u)],
    );
{% endif %}
}

// x * sigmoid(x); the exponential may overflow to infinity, then the quotient is 0.
fn silu(value: vec4<f32>) -> vec4<f32> {
    return value / (vec4<f32>(1.0) + exp(-value));
}

fn store_y(row: u32, col: u32, value: vec4<f32>) {
{% if ragged_rows %}
    if (row >= {{ tokens }}u) {
        return;
    }
{% endif %}
{% if wide %}
{% if ragged_cols %}
    if (col >= {{ f4 }}u) {
        return;
    }
{% endif %}
    y[row * {{ f4 }}u + col] = value;
{% else %}
    let first = col * 4u;
    let start = row * {{ f }}u + first;
{% for part in parts %}
    if (first + {{ loop.index0 }}u < {{ f }}u) {
        y[start + {{ loop.index0 }}u] = value.{{ part }};
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
    let row{{ r }} = {% if ragged_rows %}min(row + {{ r }}u, {{ tokens - 1 }}u){% else %}row + {{ r }}u{% endif %};
    let start{{ r }} = row{{ r }} * {{ d4 if wide_x else d }}u;
{% endfor %}
{% for j in range(COLS) %}
    let col{{ j }} = {% if ragged_cols %}min(col + {{ j * WX }}u, {{ f4 - 1 }}u){% else %}col + {{ j * WX }}u{% endif %};
{% endfor %}
{% for r in range(ROWS) %}
{% for j in range(COLS) %}
    var gate{{ r }}_{{ j }} = vec4<f32>();
    var up{{ r }}_{{ j }} = vec4<f32>();
{% endfor %}
{% endfor %}

    for (var i = 0u; i < {{ d4 }}u; i++) {
{% for r in range(ROWS) %}
{% if wide_x %}
        let x{{ r }} = x[start{{ r }} + i];
{% else %}
        let at{{ r }} = start{{ r }} + 4u * i;
        let x{{ r }} = vec4<f32>(x[at{{ r }}], x[at{{ r }} + 1u], x[at{{ r }} + 2u], x[at{{ r }} + 3u]);
{% endif %}
{% endfor %}
{% for part in parts %}
{% set step = loop.index0 %}
{% for j in range(COLS) %}
        let g{{ step }}_{{ j }} = load_gate(4u * i + {{ step }}u, col{{ j }});
        let u{{ step }}_{{ j }} = load_up(4u * i + {{ step }}u, col{{ j }});
{% endfor %}
{% for r in range(ROWS) %}
{% for j in range(COLS) %}
        gate{{ r }}_{{ j }} = fma(vec4<f32>(x{{ r }}.{{ part }}), g{{ step }}_{{ j }}, gate{{ r }}_{{ j }});
        up{{ r }}_{{ j }} = fma(vec4<f32>(x{{ r }}.{{ part }}), u{{ step }}_{{ j }}, up{{ r }}_{{ j }});
{% endfor %}
{% endfor %}
{% endfor %}
    }
{% for step in range(4 * d4, d) %}
    {
{% for j in range(COLS) %}
        let g{{ j }} = load_gate({{ step }}u, col{{ j }});
        let u{{ j }} = load_up({{ step }}u, col{{ j }});
{% endfor %}
{% for r in range(ROWS) %}
        let x{{ r }} = vec4<f32>(x[start{{ r }} + {{ step }}u]);
{% for j in range(COLS) %}
        gate{{ r }}_{{ j }} = fma(x{{ r }}, g{{ j }}, gate{{ r }}_{{ j }});
        up{{ r }}_{{ j }} = fma(x{{ r }}, u{{ j }}, up{{ r }}_{{ j }});
{% endfor %}
{% endfor %}
    }
{% endfor %}

{% for r in range(ROWS) %}
{% for j in range(COLS) %}
    store_y(row + {{ r }}u, col + {{ j * WX }}u, silu(gate{{ r }}_{{ j }}) * up{{ r }}_{{ j }});
{% endfor %}
{% endfor %}
}
