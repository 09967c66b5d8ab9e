import Testing
import TributaryCore
import TributaryLineage

/// One stored value, the examples of `Docs/Formats.md`.
struct EnvelopeVector: Sendable {
    var name: String
    var timestamp: Int64?
    var context = TraceContext.none
    var tracestate: [UInt8] = []
    var headers: [UInt8] = []
    var cell: [UInt8] = []
    var elements: [UInt8] = []
    var payload: [UInt8]?
    var hex: String
}

private let context = TraceContext(
    traceHigh: 0x4bf9_2f35_77b3_4da6, traceLow: 0xa3ce_929d_0e0e_4736, span: 0x00f0_67aa_0ba9_02b7, flags: 3)
private let contextHex = "4bf92f3577b34da6a3ce929d0e0e4736" + "00f067aa0ba902b7" + "03"
private let cellHex = "0000000007c3495bdaa105af91d09372b5b1ad6ba301c801000117a4ebaa00000001"

private func bytes(_ hex: String) -> [UInt8] { [UInt8](hexadecimal: hex) ?? [] }

let envelopeVectors: [EnvelopeVector] = [
    EnvelopeVector(
        name: "timestamp and payload", timestamp: 100, payload: Array("hello".utf8),
        hex: "fa4c0100" + "0000000000000064" + "68656c6c6f"),
    EnvelopeVector(name: "empty payload", timestamp: -1, payload: [], hex: "fa4c0100" + "ffffffffffffffff"),
    EnvelopeVector(
        name: "context", timestamp: 100, context: context, payload: [7],
        hex: "fa4c0101" + "0000000000000064" + contextHex + "07"),
    EnvelopeVector(
        name: "context and cell", timestamp: 100, context: context, cell: bytes(cellHex), payload: [7],
        hex: "fa4c0109" + "0000000000000064" + contextHex + "01" + "0122" + cellHex + "07"),
    EnvelopeVector(
        name: "grave with a cell", timestamp: 100, cell: bytes(cellHex), payload: nil,
        hex: "fa4c0128" + "0000000000000064" + "01" + "0122" + cellHex),
    EnvelopeVector(
        name: "all fields, no timestamp", timestamp: nil, context: context, tracestate: Array("a=1".utf8),
        headers: Headers([("h", [9]), ("n", nil)]).encoded, cell: bytes(cellHex), elements: [0], payload: [1, 2],
        hex: "fa4c011f" + contextHex + "03613d31" + "02" + "0168" + "0209" + "016e" + "00" + "02" + "0122" + cellHex
            + "0201" + "00" + "0102"),
]

@Suite struct EnvelopeTests {
    func encode(_ vector: EnvelopeVector) -> [UInt8] {
        var writer = ByteWriter()
        if let payload = vector.payload {
            Envelope.encode(
                timestamp: vector.timestamp, context: vector.context, tracestate: vector.tracestate.span.bytes,
                headers: vector.headers.span.bytes, cell: vector.cell.span.bytes,
                elements: vector.elements.span.bytes, payload: payload.span.bytes, into: &writer)
        } else {
            Envelope.encode(
                timestamp: vector.timestamp, context: vector.context, tracestate: vector.tracestate.span.bytes,
                headers: vector.headers.span.bytes, cell: vector.cell.span.bytes,
                elements: vector.elements.span.bytes, payload: nil, into: &writer)
        }
        return writer.copy()
    }

    func read(_ bytes: [UInt8]) throws(EnvelopeError) -> EnvelopeVector {
        let view = try EnvelopeView(bytes.span.bytes)
        var payload: [UInt8]?
        if let span = view.payload { payload = [UInt8](copying: span) }
        return EnvelopeVector(
            name: "", timestamp: view.timestamp, context: view.context, tracestate: [UInt8](copying: view.tracestate),
            headers: [UInt8](copying: view.headers), cell: [UInt8](copying: view.cell),
            elements: [UInt8](copying: view.elements), payload: payload, hex: bytes.span.bytes.hexadecimal)
    }

    @Test(arguments: envelopeVectors)
    func `stored values have these bytes`(_ vector: EnvelopeVector) throws {
        #expect(encode(vector).span.bytes.hexadecimal == vector.hex)
        let read = try read(bytes(vector.hex))
        #expect(read.timestamp == vector.timestamp)
        #expect(read.context == vector.context)
        #expect(read.tracestate == vector.tracestate)
        #expect(read.headers == vector.headers)
        #expect(read.cell == vector.cell)
        #expect(read.elements == vector.elements)
        #expect(read.payload == vector.payload)
    }

    @Test(arguments: envelopeVectors)
    func `cut stored values are refused or have a shorter payload`(_ vector: EnvelopeVector) {
        let whole = bytes(vector.hex)
        let payload = vector.payload?.count ?? 0
        for count in 0..<whole.count {
            let cut = Array(whole.prefix(count))
            if count >= whole.count - payload {
                #expect(throws: Never.self) { try read(cut) }
            } else {
                #expect(throws: EnvelopeError.self) { try read(cut) }
            }
        }
    }

    @Test(arguments: envelopeVectors)
    func `flipped bits are read or refused`(_ vector: EnvelopeVector) {
        let whole = bytes(vector.hex)
        for bit in 0..<(whole.count * 8) {
            var wrong = whole
            wrong[bit / 8] ^= 1 << UInt8(bit % 8)
            if let read = try? read(wrong) { _ = encode(read) }
        }
    }

    @Test func `flags of a context that mean something to one task alone aren't stored`() {
        var marked = context
        marked.flags = 0xff
        let vector = EnvelopeVector(name: "", timestamp: 100, context: marked, payload: [7], hex: "")
        #expect(encode(vector).span.bytes.hexadecimal == "fa4c0101" + "0000000000000064" + contextHex + "07")
    }

    @Test func `what is wrong has a code`() {
        let good = "fa4c0100" + "0000000000000064"
        func code(_ hex: String) -> EnvelopeError.Code? {
            do throws(EnvelopeError) {
                _ = try read(bytes(hex))
                return nil
            } catch {
                return error.code
            }
        }
        #expect(code(good) == nil)
        #expect(code("") == .missingMagic)
        #expect(code("00") == .missingMagic)
        #expect(code("68656c6c6f") == .missingMagic)
        #expect(code("fa4c") == .truncated)
        #expect(code("fa4c02" + "000000000000000000") == .unknownVersion)
        #expect(code("fa4c0180" + "0000000000000064") == .malformed)
        #expect(code("fa4c0120" + "0000000000000064" + "01") == .malformed)
        // A tracestate of 2^63 bytes; a section of more than is there; headers of 2^40.
        #expect(code("fa4c0112" + "ffffffffffffffff7f") == .truncated)
        #expect(code("fa4c0118" + "01" + "0705" + "00") == .truncated)
        #expect(code("fa4c0114" + "ffffffffff1f") == .truncated)
        #expect(code("fa4c0112" + "ffffffffffffffffff7f") == .malformed)
        // A cell twice.
        #expect(code("fa4c0118" + "02" + "010100" + "010100") == .malformed)
        #expect(code("fa4c0118" + "02" + "010100" + "0100") == .malformed)
        #expect(code("fa4c0118" + "02" + "0100" + "0100") == .malformed)
    }

    @Test func `sections of unknown kinds are skipped and kept`() throws {
        let source = bytes("fa4c0118" + "03" + "07020102" + "010100" + "e80700" + "ff")
        let view = try EnvelopeView(source.span.bytes)
        #expect(view.otherSectionCount == 2)
        #expect([UInt8](copying: view.cell) == [0])
        var kinds: [UInt64] = []
        view.forEachOtherSection { kind, _ in kinds.append(kind) }
        #expect(kinds == [7, 1000])
        var others = ByteWriter()
        view.copyOtherSections(to: &others)
        var writer = ByteWriter()
        Envelope.encode(
            timestamp: view.timestamp, context: view.context, tracestate: view.tracestate, headers: view.headers,
            cell: view.cell, elements: view.elements, otherSections: others.bytes, payload: view.payload,
            into: &writer)
        #expect(writer.bytes.hexadecimal == "fa4c0118" + "03" + "010100" + "07020102" + "e80700" + "ff")
    }

    @Test func `elements come back in order and cut ones are refused`() throws {
        let arena = CellArena()
        let source = SourcePartition(cluster: "conformance", topic: "S1", partition: 0)
        let cell = arena.source(source, offset: 0, timestamp: 100, fingerprint: 7)
        var writer = ByteWriter()
        Elements.append(count: 3, to: &writer)
        Elements.append(Lineage(context: context, cell: cell), of: arena, to: &writer)
        Elements.append(.none, of: arena, to: &writer)
        Elements.append(context: context, cell: bytes(cellHex).span.bytes, to: &writer)
        let whole = writer.copy()
        #expect(
            whole.span.bytes.hexadecimal == "03" + contextHex + "22" + cellHex + String(repeating: "00", count: 26)
                + contextHex + "22" + cellHex)
        #expect(try elements(whole, arena).map { $0.cell.count } == [1, 0, 1])
        #expect(try elements([], arena).isEmpty)
        for count in 1..<whole.count {
            #expect(throws: MalformedBytes.self) { try elements(Array(whole.prefix(count)), arena) }
        }
        #expect(throws: MalformedBytes.self) { try elements(whole + [0], arena) }
        // More than there is room for: refused before anything is read.
        #expect(throws: MalformedBytes.badLength(offset: 0, length: 2)) {
            try elements([2] + whole.dropFirst().prefix(51), arena)
        }
        #expect(throws: MalformedBytes.self) { try elements([0xff, 0xff, 0xff, 0xff, 0x7f], arena) }
    }

    func elements(_ bytes: [UInt8], _ arena: CellArena) throws(MalformedBytes) -> [Lineage] {
        var reader = try ElementsReader(bytes.span.bytes)
        var list: [Lineage] = []
        while let next = try reader.next(into: arena) { list.append(next) }
        return list
    }
}
