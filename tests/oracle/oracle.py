#!/usr/bin/env python3
"""Compares the register, command and field tables of vgpu/desc and the surface formats of mediator/soft with descriptions
that nobody here wrote: Mesa's genxml for Gen9, its isl.h and isl_format_layout.csv, and the register files of
intel-gpu-tools (the parts genxml and igt-regs of tests/lab).

Usage: oracle.py [DUMP_TABLES]    the built program or its directory; without it, it is compiled for the run.

Where the tables differ on purpose, exceptions.txt says so with a reason. An exception that nothing needs is a failure.
"""
import fnmatch
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
ENGINE_BITS = {'render': 1, 'blitter': 2, 'video': 4}
ENGINE_PREFIXES = [('RENDER', 'RCS'), ('BLT', 'BLITTER', 'BCS'), ('BSD', 'VCS'), ('VEBOX', 'VECS')]
# The files that describe a Gen9 machine: those that IGT's own list for Skylake names, and the ones for all generations.
IGT_COMMON = ['base_interrupt.txt', 'base_other.txt', 'base_power.txt', 'base_rings.txt', 'common_display.txt',
              'gen7_other.txt', 'haswell_other.txt', 'audio_config_haswell_plus.txt', 'audio_debug_haswell_plus.txt']


def stop(message):
    sys.exit('oracle: ' + message)


def lab_part(name):
    """The directory of a built part of the lab."""
    lab = os.path.join(ROOT, 'tests', 'lab', 'lab')
    try:
        run = subprocess.run([lab, 'path', name], capture_output=True, text=True, check=False)
    except OSError as error:
        stop(f'cannot run {lab}: {error}')
    path = run.stdout.strip()
    if run.returncode or not os.path.isdir(path):
        stop(f'the lab part "{name}" is missing; build it with: tests/lab/lab make {name}')
    return path


def dump_tables(program):
    """The lines that dump_tables prints, split at tabs."""
    if program and os.path.isdir(program):
        program = os.path.join(program, 'dump_tables')
    if program and not os.access(program, os.X_OK):
        stop(f'no program {program}')
    with tempfile.TemporaryDirectory() as scratch:
        if not program:
            program = os.path.join(scratch, 'dump_tables')
            sources = ['tests/oracle/dump_tables.c', 'vgpu/desc/regs.c', 'vgpu/desc/cmds.c', 'vgpu/desc/fields.c']
            command = [os.environ.get('CC', 'cc'), '-std=gnu11', '-D_GNU_SOURCE', '-I.', '-o', program] + sources
            if subprocess.run(command, cwd=ROOT, check=False).returncode:
                stop('dump_tables does not compile')
        run = subprocess.run([program], capture_output=True, text=True, check=False)
    if run.returncode:
        stop(run.stderr.strip() or 'dump_tables failed')
    return [line.split('\t') for line in run.stdout.splitlines()]


# ---- genxml

def load_genxml(directory, name):
    """{(kind, name): element} of a genxml file with its imports."""
    root = ElementTree.parse(os.path.join(directory, name)).getroot()
    items = {}
    for imported in root.findall('import'):
        excluded = {e.get('name') for e in imported.findall('exclude')}
        found = load_genxml(directory, imported.get('name'))
        items.update({key: value for key, value in found.items() if key[1] not in excluded})
    for kind in ('instruction', 'register', 'struct'):
        items.update({(kind, e.get('name')): e for e in root.findall(kind)})
    return items


class XmlCommand:
    """What a genxml instruction says about its header."""

    def __init__(self, element):
        self.opcode = self.mask = 0
        self.length_mask = None
        self.bias = int(element.get('bias'))
        self.length = int(element.get('length')) if element.get('length') else None
        self.engines = sum(ENGINE_BITS[e] for e in (element.get('engine') or '').split('|') if e)
        header = [(f.get('name'), int(f.get('start')), int(f.get('end')), f.get('default'))
                  for f in element.findall('field') if int(f.get('end')) < 32]
        is_mi = ('Command Type', 29, 31, '0') in header
        for name, start, end, default in header:
            if name == 'DWord Length':
                self.length_mask = (1 << (end + 1)) - 1
            elif start >= (23 if is_mi else 16) and default is not None:
                self.opcode |= int(default, 0) << start
                self.mask |= ((1 << (end - start + 1)) - 1) << start


def command_fault(row, xml):
    """How our command row differs from genxml, or None."""
    opcode, mask, engines, length_mask, bias, min_len, max_len = row
    if (opcode, mask) != (xml.opcode, xml.mask):
        return f'opcode {opcode:08x}/{mask:08x}, genxml {xml.opcode:08x}/{xml.mask:08x}'
    if xml.engines & ~engines:
        return f'engines {engines:x}, genxml {xml.engines:x}'
    if length_mask == 0:
        if xml.length_mask is not None and xml.length_mask != 0 or bias != xml.length:
            return f'fixed length {bias}, genxml has a length field or length {xml.length}'
        return None
    if (length_mask, bias) != (xml.length_mask, xml.bias):
        return f'length field {length_mask:x} + {bias}, genxml {xml.length_mask or 0:x} + {xml.bias}'
    if min_len and xml.length and min_len > xml.length:
        return f'min_len {min_len} is above the length in genxml, {xml.length}'
    if max_len and xml.length and max_len < xml.length:
        return f'max_len {max_len} is below the length in genxml, {xml.length}'
    return None


# ---- fields

def xml_fields(element, base=0, count=0, stride=0):
    """{name without punctuation: {(first, last, count, stride)}} of an instruction or a structure."""
    found = {}
    for child in element:
        if child.tag == 'field':
            name = ''.join(w[0].upper() + w[1:] for w in re.split(r'[^0-9A-Za-z]+', child.get('name')) if w)
            place = (base + int(child.get('start')), base + int(child.get('end')), count, stride)
            found.setdefault(name, set()).add(place)
        elif child.tag == 'group':
            inner = xml_fields(child, base + int(child.get('start')), int(child.get('count')), int(child.get('size')))
            for name, places in inner.items():
                found.setdefault(name, set()).update(places)
    return found


def check_fields(rows, items):
    """(rows checked, failures)."""
    groups, failures = {}, []
    for group, name, *place in rows:
        if group not in groups:
            element = items.get(('instruction', group), items.get(('struct', group)))
            groups[group] = {} if element is None else xml_fields(element)
        theirs = groups[group].get(name)
        if not theirs:
            failures.append(f'field {group} {name}: not in genxml')
        elif tuple(int(v) for v in place) not in theirs:
            failures.append(f'field {group} {name}: {place}, genxml {sorted(theirs)}')
    return len(rows), failures


# ---- surface formats

def isl_numbers(directory):
    """{format: number} of isl.h."""
    path = os.path.join(directory, 'isl.h')
    if not os.path.isfile(path):
        stop('the lab part "genxml" has no isl.h; build it anew with: tests/lab/lab make genxml')
    with open(path, encoding='utf-8') as text:
        return {m[1]: int(m[2]) for m in re.finditer(r'^\s*ISL_FORMAT_(\w+) *= *(\d+),', text.read(), re.M)}


def channel_layout(columns):
    """{channel: (type, bits, first bit)} of a row of isl_format_layout.csv; compressed formats have no bits' places."""
    types = dict(zip('rgbalip', columns[5:12]))
    found, at = {}, 0
    for name in columns[12] or 'rgba':
        if types.get(name):
            kind, bits = re.fullmatch(r'([a-z]+)(\d+)', types[name]).groups()
            if kind != 'x':
                found[name] = (kind, int(bits), at)
            at += int(bits) if columns[12] else 0
    return found


def isl_layouts(directory):
    """{format: (bits, block width, block height, space, kind, four channels)} as dump_tables prints them."""
    layouts = {}
    with open(os.path.join(directory, 'isl_format_layout.csv'), encoding='utf-8') as text:
        for line in text:
            columns = [c.strip() for c in line.split(',')]
            if line.startswith('#') or len(columns) < 14:
                continue
            channels = channel_layout(columns)
            kind = 'luminance' if 'l' in channels else 'intensity' if 'i' in channels else 'colour'
            channels['r'] = channels.get('l', channels.get('i', channels.get('r')))
            shown = [str(v) for c in 'rgba' for v in (channels.get(c) or ('x', 0, 0))]
            layouts[columns[0]] = columns[1:4] + ['srgb' if columns[13] == 'srgb' else 'linear', kind] + shown
    return layouts


def check_formats(rows, directory, exceptions):
    """(formats checked, failures)."""
    numbers, layouts, failures = isl_numbers(directory), isl_layouts(directory), []
    ours = {name: (number, layout) for name, number, *layout in rows}
    for name, (number, layout) in ours.items():
        if exceptions.covers('format', name):
            continue
        if numbers.get(name) != int(number):
            failures.append(f'format {name}: number {number}, isl.h {numbers.get(name)}')
        elif layouts.get(name) != layout:
            failures.append(f'format {name}: {layout}, isl_format_layout.csv {layouts.get(name)}')
    for name, number in numbers.items():
        if number < 1024 and name in layouts and name not in ours and not exceptions.covers('format', name):
            failures.append(f'format {name}: in isl.h, not in our table')
    return len(ours), failures


# ---- registers

def igt_registers(directory):
    """{offset: {names}} of the IGT register files for Skylake."""
    with open(os.path.join(directory, 'skylake'), encoding='utf-8') as listing:
        files = [line.strip() for line in listing if line.strip() and not line.startswith('#')]
    found = {}
    for name in sorted(set(files + IGT_COMMON)):
        with open(os.path.join(directory, name), encoding='utf-8') as text:
            for entry in re.finditer(r"^\('(\w+)',\s*'(0x[0-9a-fA-F]+)'", text.read(), re.M):
                found.setdefault(int(entry[2], 16), set()).add(entry[1])
    return found


def genxml_registers(items):
    found = {}
    for (kind, name), element in items.items():
        if kind == 'register':
            found.setdefault(int(element.get('num'), 0), set()).add(name)
    return found


def plain_name(name):
    """A register name without generation, engine, pipe and index decoration."""
    words = [w for w in name.upper().split('_') if w]
    while words and (re.fullmatch(r'GEN\d+|HSW|SKL|ILK|IVB|BDW|CPU|RING', words[0])
                     or any(words[0] in names for names in ENGINE_PREFIXES)):
        words = words[1:]
    words = [w for w in words if not re.fullmatch(r'[A-E]|EDP|\d+|GEN\d+|RING|REG|UDW', w)]
    text = ''.join(words)
    text = re.sub(r'^(PIPE|TRANS)([A-C]|EDP)?', '', text)
    text = re.sub(r'^(SO.*|.*?)(TX|DDI|PORT)?$', r'\1', text)
    return re.sub(r'\d+', '', text)


def without_generation(name):
    return re.sub(r'^(GEN\d+|HSW|SKL)_', '', name.upper())


def unit_of_name(name):
    """The engine index or pipe/port letter that a name mentions, or None."""
    words = name.upper().split('_')
    for index, names in enumerate(ENGINE_PREFIXES):
        if words[0] in names or (words[0].startswith('GEN') and len(words) > 1 and words[1] in names):
            return index
    for word in words:
        if re.fullmatch(r'[A-E]', word):
            return ord(word) - ord('A')
        if word == 'EDP':
            return 3
    match = re.match(r'(?:PIPE|TRANS)([A-C])', words[0])
    return ord(match[1]) - ord('A') if match else None


def numbers_of_name(name):
    """The numbers in a name but for the generation."""
    return [int(n) for n in re.findall(r'\d+', re.sub(r'GEN\d+', '', name.upper()))]


def first_numbers(oracle):
    """{plain name: where its numbering starts}: 0 for GT_IIR0.., 1 for WRPLL_CTL1.."""
    first = {}
    for names in oracle.values():
        for name in names:
            numbers = numbers_of_name(name)
            if numbers:
                plain = plain_name(name)
                first[plain] = min(first.get(plain, numbers[-1]), numbers[-1])
    return first


def register_matches(ref, is_array, theirs, first):
    """Is `theirs` a name of the register ref = (name, block, unit, element)?"""
    ours, block, unit, element = ref
    if plain_name(ours) != plain_name(theirs):
        return False
    mentioned, numbers, own = unit_of_name(theirs), numbers_of_name(theirs), numbers_of_name(ours)
    if is_array and block == 'global' and mentioned is not None:
        if mentioned != element:
            return False
    elif is_array and numbers:
        return numbers[-1] == element + first[plain_name(theirs)]
    elif block != 'global' and mentioned not in (None, unit):
        return False
    return not own or not numbers or set(own) <= set(numbers)


# ---- exceptions

class Exceptions:
    """Lines "register|command|format PATTERN: reason". Remembers which were needed."""

    def __init__(self, path):
        self.entries, self.used, self.errors = [], set(), []
        with open(path, encoding='utf-8') as text:
            for number, line in enumerate(text, 1):
                line = line.strip()
                if not line or line.startswith('#'):
                    continue
                match = re.fullmatch(r'(register|command|format) (\S+): (.{8,})', line)
                if match:
                    self.entries.append((match[1], match[2]))
                else:
                    self.errors.append(f'exceptions.txt:{number}: not "register|command|format NAME: reason"')

    def covers(self, kind, name):
        hits = {e for e in self.entries if e[0] == kind and fnmatch.fnmatchcase(name, e[1])}
        self.used |= hits
        return bool(hits)

    def unneeded(self):
        return [f'exceptions.txt: "{kind} {name}" is no longer needed' for kind, name in self.entries
                if (kind, name) not in self.used]


def check_commands(rows, items, exceptions):
    """(rows checked, failures)."""
    xml = {name: XmlCommand(e) for (kind, name), e in items.items() if kind == 'instruction'}
    xml = {re.sub(r' command$', '', name): command for name, command in xml.items()}
    ours, failures = {}, []
    for name, *values in rows:
        ours[name] = [int(v, 0) for v in values]
        if name not in xml:
            fault = 'not in genxml'
        else:
            fault = command_fault(ours[name], xml[name])
        if fault and not exceptions.covers('command', name):
            failures.append(f'command {name}: {fault}')
    for name in xml:
        if name not in ours and not exceptions.covers('command', name):
            failures.append(f'command {name}: in genxml, not in our table')
    return len(set(ours) & set(xml)), failures


def check_registers(refs, oracle, exceptions):
    """(offsets checked, failures)."""
    checked, failures, first = 0, {}, first_numbers(oracle)
    arrays = {name for name, _block, _unit, element, _offset in refs if element != '0'}
    for name, block, unit, element, offset in refs:
        theirs = oracle.get(int(offset, 16))
        if not theirs:
            continue
        checked += 1
        ref = (name, block, int(unit), int(element))
        if (any(register_matches(ref, name in arrays, t, first) for t in theirs)
                or exceptions.covers('register', name)):
            continue
        failures.setdefault(name, f'register {name} at {offset}: called {", ".join(sorted(theirs))}')
    # A row that sits where the oracle knows nothing, but whose name it knows elsewhere, is misplaced.
    places = {}
    for offset, names in oracle.items():
        for name in names:
            places.setdefault(without_generation(name), set()).add(offset)
    for name, block, _unit, _element, offset in refs:
        known = places.get(without_generation(name))
        if block != 'global' or name in arrays or not known or int(offset, 16) in known:
            continue
        if not exceptions.covers('register', name):
            failures[name] = f'register {name} at {offset}: known at {", ".join(hex(k) for k in sorted(known))}'
    return checked, list(failures.values())


def main():
    if len(sys.argv) > 2 or (len(sys.argv) == 2 and sys.argv[1].startswith('-')):
        sys.exit(__doc__)
    items = load_genxml(lab_part('genxml'), 'gen90.xml')
    oracle = igt_registers(lab_part('igt-regs'))
    for offset, names in genxml_registers(items).items():
        oracle.setdefault(offset, set()).update(names)
    lines = dump_tables(sys.argv[1] if len(sys.argv) == 2 else None)
    exceptions = Exceptions(os.path.join(HERE, 'exceptions.txt'))

    commands, faults = check_commands([line[1:] for line in lines if line[0] == 'cmd'], items, exceptions)
    registers, more = check_registers([line[1:] for line in lines if line[0] == 'reg'], oracle, exceptions)
    fields, wrong = check_fields([line[1:] for line in lines if line[0] == 'field'], items)
    formats, odd = check_formats([line[1:] for line in lines if line[0] == 'format'], lab_part('genxml'), exceptions)
    faults += more + wrong + odd + exceptions.errors + exceptions.unneeded()
    for fault in faults:
        print('FAIL', fault)
    total = sum(1 for line in lines if line[0] == 'reg')
    print(f'{commands} commands and {fields} fields compared with genxml; {formats} formats with isl; '
          f'{registers} of {total} register offsets are in IGT or genxml')
    print(f'{max(commands + fields + registers + formats - len(faults), 0)} passed, {len(faults)} failed')
    return 1 if faults or not (commands and fields and registers and formats) else 0


if __name__ == '__main__':
    sys.exit(main())
