"""PTX as C: what Numba makes of a kernel, with its registers and widths of integers (see threads.c)."""

import re

TYPES = {"pred": "uint8_t", "b16": "uint16_t", "b32": "uint32_t", "b64": "uint64_t", "f32": "float",
         "f64": "double", "b8": "uint8_t"}
TYPES |= {f"{sign}{bits}": f"{'u' * (sign == 'u')}int{bits}_t" for sign in "us" for bits in (8, 16, 32, 64)}
SPECIAL = {"%tid.x": "self->index", "%dynamic_smem_size": "shared_bytes"}
SPECIAL |= {f"%ctaid.{axis}": f"block_index[{i}]" for i, axis in enumerate("xyz")}
SIGNS = {"add": "+", "sub": "-", "and": "&", "or": "|", "xor": "^", "mul": "*", "div": "/", "rem": "%",
         "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "=="}
ORDERED = {"lt": "ge", "le": "gt", "gt": "le", "ge": "lt"}  # what an unordered comparison is not


class Unknown(Exception):
    """PTX that has no translation here."""


def translated(ptx):
    """The C function `kernel` of a module's only kernel."""
    text = re.sub(r"//.*", "", ptx)
    text = text[text.index(".entry"):]
    body = text[text.index("{") + 1:text.rindex("}")]
    return f"static void kernel(void) {{\n{''.join(_Function().lines(body))}}}\n"


class _Function:
    def __init__(self):
        self.scopes = [{}]  # types of registers

    def lines(self, body):
        at = 0
        while found := re.compile(r"\s*([{}]|[$\w]+:|[^;]*;)").match(body, at):
            at, one = found.end(), found[1]
            if one == "{":
                self.scopes.append({})
                yield "{\n"
            elif one == "}":
                self.scopes.pop()
                yield "}\n"
            elif one.endswith(":"):
                yield f"{_label(one[:-1])}:;\n"
            elif one != ";":
                yield self.statement(one[:-1].strip()) + "\n"

    def statement(self, text):
        if text.startswith(".reg"):
            return self.declared(text)
        when, opcode, rest = re.fullmatch(r"(?:@(!?%?\w+)\s+)?([\w.]+)\s*(.*)", text, re.S).groups()
        operands = re.findall(r"\{[^}]*\}|\[[^\]]*\]|[^\s,{}\[\]]+", rest)
        try:
            made = self.instruction(*opcode.split("."), operands=operands)
        except (KeyError, ValueError, AttributeError) as error:
            raise Unknown(text) from error
        made += ";"
        return f"if ({when[0] * (when[0] == '!')}{_name(when.lstrip('!'))}) {{ {made} }}" if when else made

    def declared(self, text):
        kind, names = re.fullmatch(r"\.reg\s+\.(\w+)\s+(.*)", text).groups()
        found = []
        for name in re.split(r",\s*", names):
            many = re.fullmatch(r"(%\w+)<(\d+)>", name)
            found += [f"{many[1]}{i}" for i in range(int(many[2]))] if many else [name]
        self.scopes[-1].update(dict.fromkeys(found, kind))
        return f"{TYPES[kind]} {', '.join(map(_name, found))};"

    def type_of(self, name):
        return next((scope[name] for scope in reversed(self.scopes) if name in scope), None)

    def value(self, x, kind):
        """An operand, read as of a type."""
        if bits := re.fullmatch(r"0([fd])([0-9a-fA-F]+)", x):
            made = f"{'f32' if bits[1] == 'f' else 'f64'}_of(0x{bits[2]}u)"
            return made if kind[0] == "f" else f"{kind}_of({made})"
        own = self.type_of(x)
        name = SPECIAL.get(x) or (_name(x) if own else x)
        if kind[0] == "f" and (own or "b")[0] != "f":
            return f"{kind}_of({name})"
        if kind[0] != "f" and own and own[0] == "f":
            name = f"b{own[1:]}_of({name})"
        return f"({TYPES[kind]})({name})"

    def set(self, target, kind, value):
        """An assignment of a value of a type to a register."""
        own = self.type_of(target)
        if (own[0] == "f") != (kind[0] == "f"):
            value = f"{own if own[0] == 'f' else 'b' + own[1:]}_of({value})"
        return f"{_name(target)} = {value}"

    def instruction(self, name, *parts, operands):
        kind = parts[-1] if parts else None
        target, *rest = operands or [None]
        if name in ("ld", "st"):
            return self.memory(name, parts, operands)
        if name == "cvt":
            return self.set(target, *self.converted(parts, rest))
        if name == "setp":
            return f"{_name(target)} = {self.compared(parts[0], kind, *rest)}"
        if name == "mov" and "{" in "".join(operands):
            return self.pair(target, rest[0], int(kind[1:]) // 2)
        if name in ("bra", "ret"):
            return f"goto {_label(target)}" if name == "bra" else "return"
        if name == "bar":
            return "warp_barrier()" if parts[0] == "warp" else "block_barrier()"
        if name == "cp":
            return self.copy(parts, operands)
        if name == "cvta":
            sign = {("shared", "u64"): "+ GENERIC", ("to", "shared", "u64"): "- GENERIC"}.get(parts, "")
            return self.set(target, kind, f"{self.value(rest[0], kind)} {sign}")
        if name == "mov" and not re.match(r"[%\d-]", rest[0]) and self.type_of(rest[0]) is None:
            return self.set(target, kind, "SHARED")  # the only symbol that there is
        return self.set(target, *self.computed(name, parts, kind, rest))

    def computed(self, name, parts, kind, operands):
        """(type, value) of what depends on registers alone."""
        real = kind[0] == "f"
        end = "f" if kind == "f32" else ""
        if name in ("shl", "shr"):
            x, by = self.value(operands[0], kind), self.value(operands[1], "u32")
            over = f"{x} >> {int(kind[1:]) - 1}" if kind[0] == "s" else "0"
            return kind, f"{by} < {kind[1:]} ? {x} {'<<' if name == 'shl' else '>>'} {by} : {over}"
        if name == "selp":
            x, y = (self.value(operand, kind) for operand in operands[:2])
            return kind, f"{_name(operands[2])} ? {x} : {y}"
        if name in ("mul", "mad") and parts[0] == "wide":
            kind = f"{kind[0]}64"
            operands = [f"({self.value(x, parts[1])})" for x in operands[:2]] + operands[2:]
            product = f"({TYPES[kind]}){operands[0]} * {operands[1]}"
            return kind, product if name == "mul" else f"{product} + {self.value(operands[2], kind)}"
        if not real and name not in ("div", "rem", "min", "max"):
            kind = kind if kind == "pred" else f"u{kind[1:]}"  # which may overflow
        x, *others = (self.value(operand, kind) for operand in operands)
        if name in SIGNS:
            return kind, f"({TYPES[kind]})({x} {SIGNS[name]} {others[0]})"
        if name in ("min", "max"):
            sign = "<" if name == "min" else ">"
            y, = others
            return kind, f"f{name}{end}({x}, {y})" if real else f"{x} {sign} {y} ? {x} : {y}"
        simple = {"mov": "{0}", "neg": "-{0}", "not": "!{0}" if kind == "pred" else "~{0}",
                  "abs": f"fabs{end}({{0}})", "rcp": "1 / {0}",
                  "fma": f"__builtin_fma{end}({{0}}, {{1}}, {{2}})", "mad": "{0} * {1} + {2}"}
        return kind, simple[name].format(x, *others)

    def compared(self, how, kind, a, b):
        x, y = self.value(a, kind), self.value(b, kind)
        if how in ("nan", "num"):
            return f"{'!' * (how == 'num')}__builtin_isunordered({x}, {y})"
        if how == "ne":
            return f"({x} < {y} || {x} > {y})"
        if how == "neu":
            return f"!({x} == {y})"
        if how == "equ":
            return f"!({x} < {y} || {x} > {y})"
        if how[:-1] in ORDERED and how[-1] == "u":
            return f"!({x} {SIGNS[ORDERED[how[:-1]]]} {y})"
        return f"{x} {SIGNS[how]} {y}"

    def converted(self, parts, operands):
        to, kind = parts[-2:]
        if to in ("f16x2", "bf16x2"):  # the first operand is above
            high, low = (f"(uint32_t){self.narrow(to[:-2], self.value(x, kind))}" for x in operands)
            return "b32", f"{high} << 16 | {low}"
        if kind == "f16":
            return to, f"half_of({self.value(operands[0], 'b16')})"
        x = self.value(operands[0], kind)
        return ("b16", self.narrow(to, x)) if to in ("f16", "bf16") else (to, f"({TYPES[to]}){x}")

    def narrow(self, to, x):
        return f"b16_of((_Float16){x})" if to == "f16" else f"bfloat16_of({x})"

    def pair(self, target, source, bits):
        """A register from its halves, or the other way."""
        if source[0] == "{":
            low, high = (self.value(x, f"b{bits}") for x in re.findall(r"[^{},\s]+", source))
            return self.set(target, f"b{2 * bits}", f"(uint{2 * bits}_t){high} << {bits} | {low}")
        whole = self.value(source, f"b{2 * bits}")
        names = re.findall(r"[^{},\s]+", target)
        return "; ".join(self.set(x, f"b{bits}", f"(uint{bits}_t)({whole} >> {bits * i})")
                         for i, x in enumerate(names))

    def memory(self, name, parts, operands):
        space, kind = parts[0], parts[-1]
        registers, place = operands if name == "ld" else reversed(operands)
        names = re.findall(r"[^{},\s]+", registers)
        base, _, offset = place.strip("[] ").partition("+")
        if space == "param":
            if offset or kind != "u64":
                raise ValueError(place)
            return self.set(names[0], kind, f"args[{base.rpartition('_')[2]}]")
        size = len(names) * (int(kind[1:]) // 8)
        if space == "shared":
            at = f"shared_at({self.value(base, 'u32')} + {offset or 0}, {size})"
        elif space == "global":
            at = f"global_at({self.value(base, 'u64')} + {offset or 0}, {size}, {size})"
        else:
            raise ValueError(space)
        made = [f"{TYPES[kind]} *at = {at}"]
        for i, x in enumerate(names):
            made.append(self.set(x, kind, f"at[{i}]") if name == "ld" else f"at[{i}] = {self.value(x, kind)}")
        return f"{{ {'; '.join(made)}; }}"

    def copy(self, parts, operands):
        if parts[1] == "commit_group":
            return "commit()"
        if parts[1] == "wait_group":
            return f"wait_for_copies({operands[0]})"
        to, start, size, count = operands
        count = self.value(count, "u32")
        return (f"copy_later({self.value(to.strip('[]'), 'u32')}, {self.value(start.strip('[]'), 'u64')}, "
                f"{size}, {count})")


def _name(x):
    return x.replace("%", "_")


def _label(x):
    return x.replace("$", "L")
