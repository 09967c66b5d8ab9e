internal import TributaryCore
internal import TributaryLineage

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
