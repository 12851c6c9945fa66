{# A tile of c per workgroup, bm x bn, staged through workgroup memory by BK of k at a time; tm x tn per invocation in
   registers; the next tile is fetched while this one is multiplied.

   An invocation's rows (and columns) are groups of four that lie a whole tile's width apart: then the invocations of a
   subgroup read neighbouring vec4 of workgroup memory. Needs load_a, load_b (both 0 outside) and store_c; m, n, k; acc; bm, bn,
   tm, tn; planes, or splits (parts of k, of `chunk` steps; part `p` is stored as plane p); threads, tiles_m, tiles_n, tiles (of
   all planes or parts), blocks_a, blocks_b, pitch_a, pitch_b. #}
{% set layers = planes * splits %}
{% set layer = "part" if splits > 1 else "plane" %}
{% set threads_n = bn // tn %}
{% set threads_m = bm // tm %}
{% set blocks = blocks_a + blocks_b %}
{% set per = ceil_div(blocks, threads) %}
{% set steps = ceil_div(k, BK) %}
{% set parts = ["x", "y", "z", "w"] %}
{% set half_a = BK * pitch_a %}
{% set half_b = BK * pitch_b %}
{% set plane_use = ", plane" if planes > 1 else "" %}
// tile_a[k][m / 4] (transposed), tile_b[k][n / 4].
var<workgroup> tile_a: array<vec4<{{ acc }}>, {{ BUFFERS * half_a }}>;
var<workgroup> tile_b: array<vec4<{{ acc }}>, {{ BUFFERS * half_b }}>;
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
{{ inner }}next{{ p }}_{{ i }} = load_a(row0 + 4u * (({{ p * threads }}u + lane) / {{ BK // 4 }}u) + {{ i }}u, {{ from }} / 4u + ({{ p * threads }}u + lane) % {{ BK // 4 }}u{{ plane_use }});
{% endfor %}
{% endif %}
{% if kind == "both" %}
{{ indent }}} else {{ "if (lane < " ~ (blocks - p * threads) ~ "u) " if partial }}{
{% elif partial %}
{{ indent }}if (lane < {{ blocks - p * threads }}u) {
{% endif %}
{% if kind != "a" %}
{% for i in range(4) %}
{{ inner }}next{{ p }}_{{ i }} = load_b({{ from }} + 4u * (({{ p * threads }}u + lane - {{ blocks_a }}u) / {{ bn // 4 }}u) + {{ i }}u, col0 / 4u + ({{ p * threads }}u + lane - {{ blocks_a }}u) % {{ bn // 4 }}u{{ plane_use }});
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
{{ inner }}    vec4<{{ acc }}>(next{{ p }}_0.{{ part }}, next{{ p }}_1.{{ part }}, next{{ p }}_2.{{ part }}, next{{ p }}_3.{{ part }});
{% endfor %}
{% endif %}
{% if kind == "both" %}
{{ indent }}} else {{ "if (lane < " ~ (blocks - p * threads) ~ "u) " if partial }}{
{% elif partial %}
{{ indent }}if (lane < {{ blocks - p * threads }}u) {
{% endif %}
{% if kind != "a" %}
{% for i in range(4) %}
{{ inner }}tile_b[{{ "half * " ~ half_b ~ "u + " if BUFFERS == 2 }}(4u * (({{ p * threads }}u + lane - {{ blocks_a }}u) / {{ bn // 4 }}u) + {{ i }}u) * {{ pitch_b }}u + ({{ p * threads }}u + lane - {{ blocks_a }}u) % {{ bn // 4 }}u] = next{{ p }}_{{ i }};
{% endfor %}
{% endif %}
{% if kind == "both" or partial %}
{{ indent }}}
{% endif %}
{% endmacro %}

@compute @workgroup_size({{ threads }}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
{% if tiles == fold_x(tiles) * fold_y(tiles) %}
    let {{ "tile" if layers == 1 else "turn" }} = group.y * {{ fold_x(tiles) }}u + group.x;
{% else %}
    // Workgroups beyond the last tile of the folded grid repeat it: they write the same values.
    let {{ "tile" if layers == 1 else "turn" }} = min(group.y * {{ fold_x(tiles) }}u + group.x, {{ tiles - 1 }}u);
{% endif %}
{% if layers > 1 %}
    let {{ layer }} = turn / {{ tiles_m * tiles_n }}u;
    let tile = turn % {{ tiles_m * tiles_n }}u;
{% endif %}
    // Bands of {{ SWIZZLE }} tile rows; inside a band the row changes fastest.
    let band = tile / {{ SWIZZLE * tiles_n }}u;
    let within = tile % {{ SWIZZLE * tiles_n }}u;
{% if tiles_m % SWIZZLE == 0 %}
    let height = {{ SWIZZLE }}u;
{% else %}
    let height = min({{ SWIZZLE }}u, {{ tiles_m }}u - band * {{ SWIZZLE }}u);
{% endif %}
{% if splits > 1 %}
    let begin = part * {{ chunk * BK }}u;
    let end = min(begin + {{ chunk * BK }}u, {{ steps * BK }}u);
{% endif %}
    let row0 = (band * {{ SWIZZLE }}u + within % height) * {{ bm }}u;
    let col0 = (within / height) * {{ bn }}u;
    let mine_m = lane / {{ threads_n }}u;
    let mine_n = lane % {{ threads_n }}u;
{% for r in range(tm) %}
{% for j in range(tn // 4) %}
    var sum{{ r }}_{{ j }} = vec4<{{ acc }}>();
{% endfor %}
{% endfor %}
{% for p in range(per) %}
{% for i in range(4) %}
    var next{{ p }}_{{ i }}: vec4<{{ acc }}>;
{% endfor %}
{{ fetch(p, "    ", "begin" if splits > 1 else "0u") }}
{%- endfor %}
{% if BUFFERS == 2 %}
    var half = 0u;
{% endif %}

{% set end = "end" if splits > 1 else (steps * BK) ~ "u" %}
    for (var base = {{ "begin" if splits > 1 else "0u" }}; base < {{ end }}; base += {{ BK }}u) {
{% for p in range(per) %}
{{ stage(p, "        ") }}
{%- endfor %}
        workgroupBarrier();
        if (base + {{ BK }}u < {{ end }}) {
{% for p in range(per) %}
{{ fetch(p, "            ", "(base + " ~ BK ~ "u)") }}
{%- endfor %}
        }
{% for i in range(BK) %}
        {
{% for g in range(tm // 4) %}
            let a{{ g }} = tile_a[{{ "half * " ~ half_a ~ "u + " if BUFFERS == 2 }}{{ i * pitch_a + g * threads_m }}u + mine_m];
{% endfor %}
{% for j in range(tn // 4) %}
            let b{{ j }} = tile_b[{{ "half * " ~ half_b ~ "u + " if BUFFERS == 2 }}{{ i * pitch_b + j * threads_n }}u + mine_n];
{% endfor %}
{% for r in range(tm) %}
{% for j in range(tn // 4) %}
            sum{{ r }}_{{ j }} = fma(vec4<{{ acc }}>(a{{ r // 4 }}.{{ parts[r % 4] }}), b{{ j }}, sum{{ r }}_{{ j }});
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

{% for r in range(tm) %}
{% for j in range(tn // 4) %}
    store_c(row0 + {{ (r // 4) * threads_m * 4 + r % 4 }}u + 4u * mine_m, col0 / 4u + {{ j * threads_n }}u + mine_n, sum{{ r }}_{{ j }}{{ plane_use }}{{ ", part" if splits > 1 }});
{% endfor %}
{% endfor %}
}
