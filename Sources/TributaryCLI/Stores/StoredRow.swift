internal import TributaryCore
internal import TributaryLineage

/// A stored value taken apart: what it is, when, which operation wrote it, and what it came from.
struct StoredRow: Sendable {
    var key: [UInt8]
    /// Nil for a grave.
    var value: [UInt8]?
    var timestamp: Int64?
    var context: TraceContext
    var cell: CellReport?
    var headers = Headers()
    /// Of a version that was replaced: when, ms.
    var validTo: Int64?

    /// Reads an envelope.
    init(key: RawSpan, envelope: RawSpan, names: SourceNames) throws {
        self.key = [UInt8](copying: key)
        do throws(EnvelopeError) {
            let view = try EnvelopeView(envelope)
            if let payload = view.payload { value = [UInt8](copying: payload) }
            timestamp = view.timestamp
            context = view.context
            headers = Headers(checked: view.headers)
            let bytes = view.cell
            do throws(MalformedBytes) {
                if !bytes.isEmpty { cell = try CellReport(bytes, names: names) }
            } catch {
                throw EnvelopeError(cell: error)
            }
        } catch {
            throw CommandError(
                "the value of key \(BytesFormat.hex.text([UInt8](copying: key))) is malformed at byte \(error.offset): "
                    + error.message)
        }
    }
}

/// How rows are shown.
struct RowText: Sendable {
    var key = BytesFormat.auto
    var value = BytesFormat.auto
    /// One line for the row, and below it lines for its time, context and cell.
    func lines(_ row: StoredRow) -> [String] {
        var title = key.keyText(row.key)
        if let suffix = WindowSuffix(row.key, key.keys) {
            title += " @ \(suffix.end == nil ? "window" : "session") \(suffix.text.dropFirst())"
        }
        var lines = ["\(title) = \(row.value == nil ? "(deleted)" : value.text(row.value))"]
        if let timestamp = row.timestamp { lines.append("    time     \(TimeText.text(timestamp))  (\(timestamp))") }
        if let validTo = row.validTo { lines.append("    until    \(TimeText.text(validTo))  (\(validTo))") }
        for header in row.headers.list {
            lines.append("    header   \(Printable.line(header.name)) = \(BytesFormat.auto.text(header.value))")
        }
        if row.context.isValid {
            lines.append("    context  \(row.context.traceparent)\(row.context.isSampled ? "  sampled" : "")")
        }
        lines.append("    cell     \(row.cell?.line ?? "none")")
        return lines
    }

    /// The row as one JSON object.
    func json(_ row: StoredRow, place: [(String, String)] = []) -> String {
        var writer = ByteWriter()
        writer.appendObject { writer, members in
            for (name, text) in place { members.string(name, text, &writer) }
            members.name("key", &writer)
            key.appendKey(row.key, to: &writer)
            if let suffix = WindowSuffix(row.key, key.keys) {
                members.integer("windowStart", suffix.start, &writer)
                if let end = suffix.end { members.integer("windowEnd", end, &writer) }
            }
            members.name("value", &writer)
            value.appendJSON(row.value, to: &writer)
            if let timestamp = row.timestamp { members.integer("timestamp", timestamp, &writer) }
            if let validTo = row.validTo { members.integer("validTo", validTo, &writer) }
            if !row.headers.isEmpty {
                members.name("headers", &writer)
                writer.appendObject { writer, inner in
                    for header in row.headers.list {
                        inner.name(header.name, &writer)
                        BytesFormat.auto.appendJSON(header.value, to: &writer)
                    }
                }
            }
            if row.context.isValid { members.string("traceparent", row.context.traceparent, &writer) }
            if let cell = row.cell {
                members.name("cell", &writer)
                cell.appendJSON(to: &writer)
            }
        }
        return writer.text
    }
}
