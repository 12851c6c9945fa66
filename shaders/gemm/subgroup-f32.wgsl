// c = a * b: one subgroup owns {{ rows }} rows by {{ lanes * per }} columns. Eight terms are taken per step: lane r of
// a load of a holds them for row r, and a shuffle hands each to all lanes; b is loaded once, all columns side by side.
{% set parts = ["x", "y", "z", "w"] %}
{% set sets = ceil_div(rows, lanes) %}
{% set ragged_rows = m % rows != 0 %}
{% set ragged_a = (ceil_div(m, rows) - 1) * rows + sets * lanes > m %}
{% set tail = k % 8 %}
{% set loads = cols if wide else ceil_div(lanes * per + 7, 8 * lanes) %}
{# Lanes that have a block of b to load, counted through all loads of a row. #}
{% set busy = lanes * cols if wide else ceil_div(lanes * per + 7, 8) %}
{# Accumulators of one row: vectors of up to four columns. #}
{% set vectors = ceil_div(per, 4) %}
{% macro size(v) %}{{ min(4, per - 4 * v) }}{% endmacro %}
{% macro type(v) %}{% if per - 4 * v == 1 %}f32{% else %}vec{{ size(v) }}<f32>{% endif %}{% endmacro %}
{% macro column(r, p) %}sum{{ r }}_{{ p // 4 }}{% if per - p // 4 * 4 != 1 %}.{{ parts[p % 4] }}{% endif %}{% endmacro %}

@group(0) @binding(0) var<storage, read> a: array<vec4<u64>>;
@group(0) @binding(1) var<storage, read> b: array<vec4<u64>>;
@group(0) @binding(2) var<storage, read_write> c: array<{{ "vec4<u64>" if wide else "f32" }}>;

fn low(pair: u64) -> f32 {
    return bitcast<f32>(u32(pair));
}

fn high(pair: u64) -> f32 {
    return bitcast<f32>(u32(pair >> 32u));
}
{% if not wide %}

// Element `place` of those that the lanes hold, eight in each.
fn pick(place: u32{% for e in range(8) %}, e{{ e }}: f32{% endfor %}) -> f32 {
    let owner = place / 8u % {{ lanes }}u;
    var element = subgroupShuffle(e0, owner);
{% for e in range(1, 8) %}
    element = select(element, subgroupShuffle(e{{ e }}, owner), place % 8u == {{ e }}u);
{% endfor %}
    return element;
}
{% else %}

fn pack(first: f32, second: f32) -> u64 {
    return (u64(bitcast<u32>(second)) << 32u) | u64(bitcast<u32>(first));
}
{% endif %}

@compute @workgroup_size({{ lanes }}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    let row = group.y * {{ rows }}u;
    let column = group.x * {{ lanes * per }}u;
{% for g in range(sets) %}
    let row{{ g }} = {% if ragged_a %}min(row + {{ g * lanes }}u + lane, {{ m - 1 }}u){% else %}row + {{ g * lanes }}u + lane{% endif %};
{% if tail == 0 %}
    var at{{ g }} = row{{ g }} * {{ k // 8 }}u;
{% else %}
    // The row begins at element `from` of its first block of eight.
    let from{{ g }} = (row{{ g }} * {{ k }}u) % 8u;
    var at{{ g }} = row{{ g }} * {{ k }}u / 8u;
    let block{{ g }} = a[at{{ g }}];
{% for s in range(8) %}
    var next{{ g }}_{{ s }} = {{ "high" if s % 2 else "low" }}(block{{ g }}.{{ parts[s // 2] }});
{% endfor %}
{% endif %}
{% endfor %}
{% for r in range(rows) %}
{% for v in range(vectors) %}
    var sum{{ r }}_{{ v }} = {{ type(v) }}();
{% endfor %}
{% endfor %}

    for (var i = 0u; i < {{ steps }}u; i++) {
{# Eight rows of b. #}
{% for s in range(8) %}
{% if wide %}
{% if tail != 0 and s >= tail %}
        let start{{ s }} = min(8u * i + {{ s }}u, {{ k - 1 }}u) * {{ n // 8 }}u + column / 8u + lane;
{% else %}
        let start{{ s }} = (8u * i + {{ s }}u) * {{ n // 8 }}u + column / 8u + lane;
{% endif %}
{% else %}
        let start{{ s }} = i * {{ n }}u + column / 8u + {{ s * n // 8 }}u + lane;
{% endif %}
{% for q in range(loads) %}
{% if wide and n % (8 * lanes * cols) == 0 %}
        let block{{ s }}_{{ q }} = b[start{{ s }} + {{ q * lanes }}u];
{% else %}
{% if busy >= (q + 1) * lanes %}
        let block{{ s }}_{{ q }} = b[min(start{{ s }} + {{ q * lanes }}u, {{ ceil_div(k * n, 8) - 1 }}u)];
{% else %}
        var block{{ s }}_{{ q }} = vec4<u64>();
        if (lane < {{ busy - q * lanes }}u) {
            block{{ s }}_{{ q }} = b[min(start{{ s }} + {{ q * lanes }}u, {{ ceil_div(k * n, 8) - 1 }}u)];
        }
{% endif %}
{% endif %}
{% for e in range(8) %}
        let from{{ s }}_{{ q }}_{{ e }} = {{ "high" if e % 2 else "low" }}(block{{ s }}_{{ q }}.{{ parts[e // 2] }});
{% endfor %}
{% endfor %}
{% if not wide %}
{% set shift = s * n % 8 %}
{% for p in range(per) %}
{# Column p * lanes + lane of the tile is element `place` of what the lanes hold: part place % 8 of lane place // 8. #}
        let place{{ s }}_{{ p }} = {{ p * lanes + shift }}u + lane;
{% set (start, end) = ((p * lanes + shift) // (8 * lanes), (p * lanes + shift + lanes - 1) // (8 * lanes)) %}
{% for q in range(start, min(end, loads - 1) + 1) %}
        let moved{{ s }}_{{ p }}_{{ q }} = pick(place{{ s }}_{{ p }}{% for e in range(8) %}, from{{ s }}_{{ q }}_{{ e }}{% endfor %});
{% endfor %}
        let moved{{ s }}_{{ p }} = {% if end > start and end < loads %}select(moved{{ s }}_{{ p }}_{{ start }}, moved{{ s }}_{{ p }}_{{ end }}, place{{ s }}_{{ p }} >= {{ 8 * lanes * end }}u)
{%- else %}moved{{ s }}_{{ p }}_{{ start }}{% endif %};
{% endfor %}
{% endif %}
{% if tail != 0 and s >= tail %}
        let inside{{ s }} = 8u * i + {{ s }}u < {{ k }}u;
{% endif %}
{% for v in range(vectors) %}
        let b{{ s }}_{{ v }} = {% if tail != 0 and s >= tail %}select({{ type(v) }}(), {% endif %}{{ type(v) }}(
{%- for p in range(4 * v, min(4 * v + 4, per)) %}
{{- ", " if not loop.first }}{% if wide %}from{{ s }}_{{ p // 8 }}_{{ p % 8 }}{% else %}moved{{ s }}_{{ p }}{% endif %}
{%- endfor %}){% if tail != 0 and s >= tail %}, inside{{ s }}){% endif %};
{% endfor %}
{% endfor %}
{# Eight columns of a, one row per lane. #}
{% for g in range(sets) %}
{% if tail == 0 %}
        let block_a{{ g }} = a[at{{ g }} + i];
{% for s in range(8) %}
        let a{{ g }}_{{ s }} = {{ "high" if s % 2 else "low" }}(block_a{{ g }}.{{ parts[s // 2] }});
{% endfor %}
{% else %}
        at{{ g }} = min(at{{ g }} + 1u, {{ ceil_div(m * k, 8) - 1 }}u);
        let block_a{{ g }} = a[at{{ g }}];
{% for s in range(8) %}
        let w{{ g }}_0_{{ s }} = next{{ g }}_{{ s }};
        let w{{ g }}_0_{{ s + 8 }} = {{ "high" if s % 2 else "low" }}(block_a{{ g }}.{{ parts[s // 2] }});
        next{{ g }}_{{ s }} = w{{ g }}_0_{{ s + 8 }};
{% endfor %}
{# The fifteen elements move left by 4, 2 and 1 where the row begins there; a row can only begin on gcd(k, 8). #}
{% for by in [4, 2, 1] %}
{% set (level, from) = (loop.index, loop.index0) %}
{% for s in range(7 + by) %}
        let w{{ g }}_{{ level }}_{{ s }} = {% if k % (2 * by) != 0 -%}
            select(w{{ g }}_{{ from }}_{{ s }}, w{{ g }}_{{ from }}_{{ s + by }}, (from{{ g }} & {{ by }}u) != 0u);
{%- else -%}
            w{{ g }}_{{ from }}_{{ s }};
{%- endif %}

{% endfor %}
{% endfor %}
{% for s in range(8) %}
        let a{{ g }}_{{ s }} = {% if s >= tail %}select(0.0, w{{ g }}_3_{{ s }}, inside{{ s }}){% else %}w{{ g }}_3_{{ s }}{% endif %};
{% endfor %}
{% endif %}
{% endfor %}
{% for r in range(rows) %}
        {
{% for s in range(8) %}
            let v{{ s }} = subgroupShuffle(a{{ r // lanes }}_{{ s }}, {{ r % lanes }}u);
{% endfor %}
{% for v in range(vectors) %}
{% for s in range(8) %}
            sum{{ r }}_{{ v }} = fma({{ type(v) }}(v{{ s }}), b{{ s }}_{{ v }}, sum{{ r }}_{{ v }});
{% endfor %}
{% endfor %}
        }
{% endfor %}
    }

{% for r in range(rows) %}
{% if ragged_rows %}
    if (row + {{ r }}u < {{ m }}u) {
{% else %}
    {
{% endif %}
{% if wide %}
{% for q in range(cols) %}
        let at{{ q }} = column / 8u + {{ q * lanes }}u + lane;
{% if n % (8 * lanes * cols) != 0 %}
        if (at{{ q }} < {{ n // 8 }}u) {
{% else %}
        {
{% endif %}
            c[(row + {{ r }}u) * {{ n // 8 }}u + at{{ q }}] = vec4<u64>(
{% for p in range(8 * q, 8 * q + 8, 2) %}
                pack({{ column(r, p) }}, {{ column(r, p + 1) }}),
{% endfor %}
            );
        }
{% endfor %}
{% else %}
{% for p in range(per) %}
        let at{{ p }} = column + {{ p * lanes }}u + lane;
{% if n % (lanes * per) != 0 %}
        if (at{{ p }} < {{ n }}u) {
{% else %}
        {
{% endif %}
            c[(row + {{ r }}u) * {{ n }}u + at{{ p }}] = {{ column(r, p) }};
        }
{% endfor %}
{% endif %}
    }
{% endfor %}
}
