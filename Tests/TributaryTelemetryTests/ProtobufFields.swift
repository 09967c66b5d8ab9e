import TributaryCore

/// A protobuf message taken apart without knowing its meaning: written from the format's description, not from our writer.
indirect enum ProtobufField: Equatable {
    case varint(UInt64)
    case fixed64(UInt64)
    case fixed32(UInt32)
    case bytes([UInt8])
}

struct ProtobufMessage {
    var fields: [(number: Int, value: ProtobufField)] = []

    struct Malformed: Error {}

    init(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        func varint() throws -> UInt64 {
            var value: UInt64 = 0
            var shift: UInt64 = 0
            while let byte = rest.popFirst() {
                value |= UInt64(byte & 0x7f) << shift
                if byte < 0x80 { return value }
                shift += 7
                guard shift < 64 else { throw Malformed() }
            }
            throw Malformed()
        }
        func take(_ count: Int) throws -> [UInt8] {
            guard rest.count >= count else { throw Malformed() }
            defer { rest = rest.dropFirst(count) }
            return Array(rest.prefix(count))
        }
        while !rest.isEmpty {
            let key = try varint()
            let value: ProtobufField
            switch key & 7 {
            case 0: value = .varint(try varint())
            case 1: value = .fixed64(try take(8).reversed().reduce(0) { $0 << 8 | UInt64($1) })
            case 2: value = .bytes(try take(Int(try varint())))
            case 5: value = .fixed32(try take(4).reversed().reduce(0) { $0 << 8 | UInt32($1) })
            default: throw Malformed()
            }
            fields.append((Int(key >> 3), value))
        }
    }

    subscript(_ number: Int) -> [ProtobufField] { fields.filter { $0.number == number }.map(\.value) }

    func messages(_ number: Int) throws -> [ProtobufMessage] {
        try self[number].compactMap { if case .bytes(let bytes) = $0 { try ProtobufMessage(bytes) } else { nil } }
    }

    func texts(_ number: Int) -> [String] {
        self[number].compactMap {
            if case .bytes(let bytes) = $0 { String(decoding: bytes, as: UTF8.self) } else { nil }
        }
    }

    /// The key and the one field of the value of a `KeyValue`.
    func attributes(_ number: Int) throws -> [String: (number: Int, value: ProtobufField)] {
        var found: [String: (number: Int, value: ProtobufField)] = [:]
        for pair in try messages(number) {
            guard let key = pair.texts(1).first, let value = try pair.messages(2).first?.fields.first,
                found[key] == nil
            else { throw Malformed() }
            found[key] = value
        }
        return found
    }
}
