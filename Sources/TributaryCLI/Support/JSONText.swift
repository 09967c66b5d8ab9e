internal import TributaryCore
internal import TributaryLineage
internal import TributaryTelemetry

extension BytesFormat {
    static func isJSON(_ bytes: [UInt8]) -> Bool { (try? JSONReader.read(bytes.span.bytes)) != nil }
}

extension ByteWriter {
    /// Appends a JSON object of members that write their own values.
    mutating func appendObject(_ body: (inout ByteWriter, inout MemberSeparator) -> Void) {
        append(0x7b)
        var separator = MemberSeparator()
        body(&self, &separator)
        append(0x7d)
    }
}

/// Puts commas between the members of an object.
struct MemberSeparator {
    private var isFirst = true

    mutating func name(_ name: String, _ writer: inout ByteWriter) {
        if !isFirst { writer.append(0x2c) }
        isFirst = false
        writer.append(json: name)
        writer.append(0x3a)
    }

    mutating func string(_ name: String, _ value: String, _ writer: inout ByteWriter) {
        self.name(name, &writer)
        writer.append(json: value)
    }

    mutating func integer(_ name: String, _ value: Int64, _ writer: inout ByteWriter) {
        self.name(name, &writer)
        writer.append(decimal: value)
    }
}

extension JSONValue {
    /// The value as JSON text: members by name, numbers as Swift writes them.
    func append(to writer: inout ByteWriter) {
        switch self {
        case .null: writer.append(utf8: "null")
        case .bool(let value): writer.append(utf8: value ? "true" : "false")
        case .integer(let number): writer.append(decimal: number)
        case .number(let number): writer.append(utf8: "\(number)")
        case .string(let text): writer.append(json: text)
        case .array(let elements):
            writer.append(0x5b)
            for (index, element) in elements.enumerated() {
                if index > 0 { writer.append(0x2c) }
                element.append(to: &writer)
            }
            writer.append(0x5d)
        case .object(let members):
            writer.appendObject { writer, separator in
                for (name, value) in members.sorted(by: { $0.key < $1.key }) {
                    separator.name(name, &writer)
                    value.append(to: &writer)
                }
            }
        }
    }
}
