// c = a * transpose(b) in int8 with i32 sums: a {{ BM }} x {{ BN }} tile per workgroup, {{ TM }} x {{ TN }} per invocation.
// Rows of a and of b lie along k, four values to a word, filled up with zeros. An invocation's rows and columns lie
// {{ threads_m }} and {{ threads_n }} apart, so that neighbours read and write neighbouring places.
{% set wide = words % 4 == 0 %}
{% set bq = BK // 16 %}
{% set ragged_m = m % BM != 0 %}
{% set ragged_n = n % BN != 0 %}
{% set ragged_k = STAGED == 1 and quads % bq != 0 %}
{% set blocks_a = BM * bq %}
{% set blocks_b = BN * bq %}
{% set parts = ["x", "y", "z", "w"] %}

@group(0) @binding(0) var<storage, read> a: array<{{ "vec4<u32>" if wide else "u32" }}>;
@group(0) @binding(1) var<storage, read> b: array<{{ "vec4<u32>" if wide else "u32" }}>;
@group(0) @binding(2) var<storage, read_write> c: array<i32>;
{% if STAGED == 1 %}

// tile_a[step][row], tile_b[step][column].
var<workgroup> tile_a: array<vec4<u32>, {{ bq * pitch_a }}>;
var<workgroup> tile_b: array<vec4<u32>, {{ bq * pitch_b }}>;
{% endif %}
{% for name, extent, ragged in [("a", m, ragged_m), ("b", n, ragged_n)] %}

// Values 16 * `quad` to 16 * `quad` + 15 of row `at` of {{ name }}{{ ", or of the last row" if ragged }}; zeros beyond the last.
fn load_{{ name }}(at: u32, quad: u32) -> vec4<u32> {
{% if ragged_k %}
    if (quad >= {{ quads }}u) {
        return vec4<u32>();
    }
{% endif %}
    let row = {% if ragged %}min(at, {{ extent - 1 }}u){% else %}at{% endif %};
{% if wide %}
    return {{ name }}[row * {{ quads }}u + quad];
{% else %}
    let start = row * {{ words }}u;
    let first = 4u * quad;
    return vec4<u32>(
{% for i in range(4) %}
        select(0u, {{ name }}[start + min(first + {{ i }}u, {{ words - 1 }}u)], first + {{ i }}u < {{ words }}u),
{% endfor %}
    );
{% endif %}
}
{% endfor %}

fn dot16(x: vec4<u32>, y: vec4<u32>) -> i32 {
    return (dot4I8Packed(x.x, y.x) + dot4I8Packed(x.y, y.y)) + (dot4I8Packed(x.z, y.z) + dot4I8Packed(x.w, y.w));
}
{# Part p of the next step of an operand from memory to registers, and from there to workgroup memory. #}
{% macro fetch(name, origin, blocks, p, indent, from) %}
{% set partial = (p + 1) * threads > blocks %}
{% if partial %}
{{ indent }}if (lane < {{ blocks - p * threads }}u) {
{% endif %}
{{ indent }}{{ "    " if partial }}next_{{ name }}{{ p }} = load_{{ name }}({{ origin }} + ({{ p * threads }}u + lane) / {{ bq }}u, {{ from }} + ({{ p * threads }}u + lane) % {{ bq }}u);
{% if partial %}
{{ indent }}}
{% endif %}
{% endmacro %}
{% macro stage(name, pitch, blocks, p) %}
{% set partial = (p + 1) * threads > blocks %}
{% if partial %}
        if (lane < {{ blocks - p * threads }}u) {
{% endif %}
        {{ "    " if partial }}tile_{{ name }}[({{ p * threads }}u + lane) % {{ bq }}u * {{ pitch }}u + ({{ p * threads }}u + lane) / {{ bq }}u] = next_{{ name }}{{ p }};
{% if partial %}
        }
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
    let mine_m = {{ "lane / " ~ threads_n ~ "u" if threads_m > 1 else "0u" }};
    let mine_n = {{ "lane % " ~ threads_n ~ "u" if threads_m > 1 else "lane" }};
{% for r in range(TM) %}
{% for j in range(TN) %}
    var sum{{ r }}_{{ j }} = 0i;
{% endfor %}
{% endfor %}
{% if STAGED == 1 %}
{% for p in range(ceil_div(blocks_a, threads)) %}
    var next_a{{ p }}: vec4<u32>;
{{ fetch("a", "row0", blocks_a, p, "    ", "0u") }}
{%- endfor %}
{% for p in range(ceil_div(blocks_b, threads)) %}
    var next_b{{ p }}: vec4<u32>;
{{ fetch("b", "col0", blocks_b, p, "    ", "0u") }}
{%- endfor %}

    for (var base = 0u; base < {{ quads }}u; base += {{ bq }}u) {
{% for p in range(ceil_div(blocks_a, threads)) %}
{{ stage("a", pitch_a, blocks_a, p) }}
{%- endfor %}
{% for p in range(ceil_div(blocks_b, threads)) %}
{{ stage("b", pitch_b, blocks_b, p) }}
{%- endfor %}
        workgroupBarrier();
        if (base + {{ bq }}u < {{ quads }}u) {
{% for p in range(ceil_div(blocks_a, threads)) %}
{{ fetch("a", "row0", blocks_a, p, "            ", "base + " ~ bq ~ "u") }}
{%- endfor %}
{% for p in range(ceil_div(blocks_b, threads)) %}
{{ fetch("b", "col0", blocks_b, p, "            ", "base + " ~ bq ~ "u") }}
{%- endfor %}
        }
{% for q in range(bq) %}
        {
{% for r in range(TM) %}
            let a{{ r }} = tile_a[{{ q * pitch_a + r * threads_m }}u + mine_m];
{% endfor %}
{% for j in range(TN) %}
            let b{{ j }} = tile_b[{{ q * pitch_b + j * threads_n }}u + mine_n];
{% for r in range(TM) %}
            sum{{ r }}_{{ j }} += dot16(a{{ r }}, b{{ j }});
{% endfor %}
{% endfor %}
        }
{% endfor %}
        workgroupBarrier();
    }
{% else %}

    for (var quad = 0u; quad < {{ quads }}u; quad++) {
{% for r in range(TM) %}
        let a{{ r }} = load_a(row0 + {{ r * threads_m }}u + mine_m, quad);
{% endfor %}
{% for j in range(TN) %}
        let b{{ j }} = load_b(col0 + {{ j * threads_n }}u + mine_n, quad);
{% for r in range(TM) %}
        sum{{ r }}_{{ j }} += dot16(a{{ r }}, b{{ j }});
{% endfor %}
{% endfor %}
    }
{% endif %}

{% for r in range(TM) %}
    let own{{ r }} = row0 + {{ r * threads_m }}u + mine_m;
{% for j in range(TN) %}
{% if ragged_m or ragged_n %}
    if ({{ "own" ~ r ~ " < " ~ m ~ "u" if ragged_m }}{{ " && " if ragged_m and ragged_n }}{{ "col0 + " ~ (j * threads_n) ~ "u + mine_n < " ~ n ~ "u" if ragged_n }}) {
        c[own{{ r }} * {{ n }}u + col0 + {{ j * threads_n }}u + mine_n] = sum{{ r }}_{{ j }};
    }
{% else %}
    c[own{{ r }} * {{ n }}u + col0 + {{ j * threads_n }}u + mine_n] = sum{{ r }}_{{ j }};
{% endif %}
{% endfor %}
{% endfor %}
}
