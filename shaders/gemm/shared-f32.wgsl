// c = a * b: a {{ BM }} x {{ BN }} tile per workgroup, {{ TM }} x {{ TN }} per invocation, {{ BK }} of k at a time.
// An invocation's rows (and columns) are {{ TM // 4 }} groups of four that lie a whole tile's width apart: then the
// invocations of a subgroup read neighbouring vec4 of workgroup memory.
{% set threads_n = BN // TN %}
{% set threads_m = BM // TM %}
{% set blocks = blocks_a + blocks_b %}
{% set per = ceil_div(blocks, threads) %}
{% set ragged_m = m % BM != 0 %}
{% set ragged_n = n % BN != 0 %}
{% set ragged_k = k % BK != 0 %}
{% set wide_a = k % 4 == 0 %}
{% set wide_b = n % 4 == 0 %}
{% set steps = ceil_div(k, BK) %}
{% set parts = ["x", "y", "z", "w"] %}
{% set half_a = BK * pitch_a %}
{% set half_b = BK * pitch_b %}

@group(0) @binding(0) var<storage, read> a: array<{{ "vec4<f32>" if wide_a else "f32" }}>;
@group(0) @binding(1) var<storage, read> b: array<{{ "vec4<f32>" if wide_b else "f32" }}>;
@group(0) @binding(2) var<storage, read_write> c: array<{{ "vec4<f32>" if wide_b else "f32" }}>;

// tile_a[k][m / 4] (transposed), tile_b[k][n / 4].
var<workgroup> tile_a: array<vec4<f32>, {{ BUFFERS * half_a }}>;
var<workgroup> tile_b: array<vec4<f32>, {{ BUFFERS * half_b }}>;

// Four elements of row `row` of a, from column 4 * `quad`; zero outside.
fn load_a(row: u32, quad: u32) -> vec4<f32> {
{% if ragged_m or ragged_k %}
    if ({{ "row >= " ~ m ~ "u" if ragged_m }}{{ " || " if ragged_m and ragged_k }}{{ "quad >= " ~ k4 ~ "u" if ragged_k }}) {
        return vec4<f32>();
    }
{% endif %}
{% if wide_a %}
    return a[row * {{ k4 }}u + quad];
{% else %}
    let start = row * {{ k }}u;
    let first = 4u * quad;
    return vec4<f32>(
{% for i in range(4) %}
        select(0.0, a[start + min(first + {{ i }}u, {{ k - 1 }}u)], first + {{ i }}u < {{ k }}u),
{% endfor %}
    );
{% endif %}
}

// Four elements of row `row` of b, from column 4 * `quad`; zero outside.
fn load_b(row: u32, quad: u32) -> vec4<f32> {
{% if ragged_k or ragged_n %}
    if ({{ "row >= " ~ k ~ "u" if ragged_k }}{{ " || " if ragged_k and ragged_n }}{{ "quad >= " ~ n4 ~ "u" if ragged_n }}) {
        return vec4<f32>();
    }
{% endif %}
{% if wide_b %}
    return b[row * {{ n4 }}u + quad];
{% else %}
    let start = row * {{ n }}u;
    let first = 4u * quad;
    return vec4<f32>(
{% for i in range(4) %}
        select(0.0, b[start + min(first + {{ i }}u, {{ n - 1 }}u)], first + {{ i }}u < {{ n }}u),
{% endfor %}
    );
{% endif %}
}

fn store_c(row: u32, quad: u32, value: vec4<f32>) {
{% if ragged_m %}
    if (row >= {{ m }}u) {
        return;
    }
{% endif %}
{% if wide_b %}
{% if ragged_n %}
    if (quad >= {{ n4 }}u) {
        return;
    }
{% endif %}
    c[row * {{ n4 }}u + quad] = value;
{% else %}
    let first = 4u * quad;
    let start = row * {{ n }}u + first;
{% for part in parts %}
    if (first + {{ loop.index0 }}u < {{ n }}u) {
        c[start + {{ loop.index0 }}u] = value.{{ part }};
    }
{% endfor %}
{% endif %}
}
{# Block `block` of the step that begins at k = `from`: four vec4 into the registers next<p>_<i>. #}
{% macro fetch(p, indent, from) %}
{% set kind = "a" if (p + 1) * threads <= blocks_a else ("b" if p * threads >= blocks_a else "both") %}
{% set partial = (p + 1) * threads > blocks %}
{% set inner = indent ~ ("    " if kind == "both" or partial else "") %}
{% if kind == "both" %}
{{ indent }}if (lane < {{ blocks_a - p * threads }}u) {
{% endif %}
{% if kind != "b" %}
{% for i in range(4) %}
{{ inner }}next{{ p }}_{{ i }} = load_a(row0 + 4u * (({{ p * threads }}u + lane) / {{ BK // 4 }}u) + {{ i }}u, {{ from }} / 4u + ({{ p * threads }}u + lane) % {{ BK // 4 }}u);
{% endfor %}
{% endif %}
{% if kind == "both" %}
{{ indent }}} else {{ "if (lane < " ~ (blocks - p * threads) ~ "u) " if partial }}{
{% elif partial %}
{{ indent }}if (lane < {{ blocks - p * threads }}u) {
{% endif %}
{% if kind != "a" %}
{% for i in range(4) %}
{{ inner }}next{{ p }}_{{ i }} = load_b({{ from }} + 4u * (({{ p * threads }}u + lane - {{ blocks_a }}u) / {{ BN // 4 }}u) + {{ i }}u, col0 / 4u + ({{ p * threads }}u + lane - {{ blocks_a }}u) % {{ BN // 4 }}u);
{% endfor %}
{% endif %}
{% if kind == "both" or partial %}
{{ indent }}}
{% endif %}
{% endmacro %}
{# The registers of block p into workgroup memory; a block of a is transposed. #}
{% macro stage(p, indent) %}
{% set kind = "a" if (p + 1) * threads <= blocks_a else ("b" if p * threads >= blocks_a else "both") %}
{% set partial = (p + 1) * threads > blocks %}
{% set inner = indent ~ ("    " if kind == "both" or partial else "") %}
{% if kind == "both" %}
{{ indent }}if (lane < {{ blocks_a - p * threads }}u) {
{% endif %}
{% if kind != "b" %}
{% for part in parts %}
{{ inner }}tile_a[{{ "half * " ~ half_a ~ "u + " if BUFFERS == 2 }}(4u * (({{ p * threads }}u + lane) % {{ BK // 4 }}u) + {{ loop.index0 }}u) * {{ pitch_a }}u + ({{ p * threads }}u + lane) / {{ BK // 4 }}u] =
{{ inner }}    vec4<f32>(next{{ p }}_0.{{ part }}, next{{ p }}_1.{{ part }}, next{{ p }}_2.{{ part }}, next{{ p }}_3.{{ part }});
{% endfor %}
{% endif %}
{% if kind == "both" %}
{{ indent }}} else {{ "if (lane < " ~ (blocks - p * threads) ~ "u) " if partial }}{
{% elif partial %}
{{ indent }}if (lane < {{ blocks - p * threads }}u) {
{% endif %}
{% if kind != "a" %}
{% for i in range(4) %}
{{ inner }}tile_b[{{ "half * " ~ half_b ~ "u + " if BUFFERS == 2 }}(4u * (({{ p * threads }}u + lane - {{ blocks_a }}u) / {{ BN // 4 }}u) + {{ i }}u) * {{ pitch_b }}u + ({{ p * threads }}u + lane - {{ blocks_a }}u) % {{ BN // 4 }}u] = next{{ p }}_{{ i }};
{% endfor %}
{% endif %}
{% if kind == "both" or partial %}
{{ indent }}}
{% endif %}
{% endmacro %}

@compute @workgroup_size({{ threads }}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
{% if tiles == fold_x(tiles) * fold_y(tiles) %}
    let tile = group.y * {{ fold_x(tiles) }}u + group.x;
{% else %}
    // Workgroups beyond the last tile of the folded grid repeat it: they write the same values.
    let tile = min(group.y * {{ fold_x(tiles) }}u + group.x, {{ tiles - 1 }}u);
{% endif %}
    // Bands of {{ SWIZZLE }} tile rows; inside a band the row changes fastest.
    let band = tile / {{ SWIZZLE * tiles_n }}u;
    let within = tile % {{ SWIZZLE * tiles_n }}u;
{% if tiles_m % SWIZZLE == 0 %}
    let height = {{ SWIZZLE }}u;
{% else %}
    let height = min({{ SWIZZLE }}u, {{ tiles_m }}u - band * {{ SWIZZLE }}u);
{% endif %}
    let row0 = (band * {{ SWIZZLE }}u + within % height) * {{ BM }}u;
    let col0 = (within / height) * {{ BN }}u;
    let mine_m = lane / {{ threads_n }}u;
    let mine_n = lane % {{ threads_n }}u;
{% for r in range(TM) %}
{% for j in range(TN // 4) %}
    var sum{{ r }}_{{ j }} = vec4<f32>();
{% endfor %}
{% endfor %}
{% for p in range(per) %}
{% for i in range(4) %}
    var next{{ p }}_{{ i }}: vec4<f32>;
{% endfor %}
{{ fetch(p, "    ", "0u") }}
{%- endfor %}
{% if BUFFERS == 2 %}
    var half = 0u;
{% endif %}

    for (var base = 0u; base < {{ steps * BK }}u; base += {{ BK }}u) {
{% for p in range(per) %}
{{ stage(p, "        ") }}
{%- endfor %}
        workgroupBarrier();
        if (base + {{ BK }}u < {{ steps * BK }}u) {
{% for p in range(per) %}
{{ fetch(p, "            ", "(base + " ~ BK ~ "u)") }}
{%- endfor %}
        }
{% for i in range(BK) %}
        {
{% for g in range(TM // 4) %}
            let a{{ g }} = tile_a[{{ "half * " ~ half_a ~ "u + " if BUFFERS == 2 }}{{ i * pitch_a + g * threads_m }}u + mine_m];
{% endfor %}
{% for j in range(TN // 4) %}
            let b{{ j }} = tile_b[{{ "half * " ~ half_b ~ "u + " if BUFFERS == 2 }}{{ i * pitch_b + j * threads_n }}u + mine_n];
{% endfor %}
{% for r in range(TM) %}
{% for j in range(TN // 4) %}
            sum{{ r }}_{{ j }} = fma(vec4<f32>(a{{ r // 4 }}.{{ parts[r % 4] }}), b{{ j }}, sum{{ r }}_{{ j }});
{% endfor %}
{% endfor %}
        }
{% endfor %}
{% if BUFFERS == 2 %}
        half = 1u - half;
{% else %}
        workgroupBarrier();
{% endif %}
    }

{% for r in range(TM) %}
{% for j in range(TN // 4) %}
    store_c(row0 + {{ (r // 4) * threads_m * 4 + r % 4 }}u + 4u * mine_m, col0 / 4u + {{ j * threads_n }}u + mine_n, sum{{ r }}_{{ j }});
{% endfor %}
{% endfor %}
}
