internal import TributaryCore
internal import TributaryLineage

/// How records of a topic are shown: coordinates, time, key, value, headers, lineage.
struct RecordText {
    var key = BytesFormat.auto
    var value = BytesFormat.auto
    var names = SourceNames()

    private func bytes(_ span: RawSpan?) -> [UInt8]? {
        guard let span else { return nil }
        return [UInt8](copying: span)
    }

    /// One line, and one more for each header.
    func lines(_ topic: String, _ partition: Int32, _ batch: RecordBatch, _ index: Int) -> [String] {
        let place = RecordCoordinate(topic: topic, partition: partition, offset: batch.offset(index))
        var lines = [
            "\(place)  \(TimeText.text(batch.timestamp(index)))  \(key.text(bytes(batch.key(index)))) = "
                + value.text(bytes(batch.value(index)))
        ]
        for header in headers(batch, index) {
            lines.append("    \(Printable.line(header.name)): \(BytesFormat.auto.text(header.value))")
        }
        if batch.context(index).isValid { lines.append("    traceparent: \(batch.context(index).traceparent)") }
        if batch.cell(index).byteCount > 0 { lines.append("    tributary-cell: \(cell(batch, index))") }
        return lines
    }

    private func headers(_ batch: RecordBatch, _ index: Int) -> [(name: String, value: [UInt8]?)] {
        Headers(checked: batch.headers(index)).list + Headers(checked: batch.lineageHeaders(index)).list
    }

    private func cell(_ batch: RecordBatch, _ index: Int) -> String {
        do throws(MalformedBytes) {
            return try names.report(header: batch.cell(index))?.line ?? "none"
        } catch {
            return "malformed: \(error)"
        }
    }

    /// One JSON object.
    func json(_ topic: String, _ partition: Int32, _ batch: RecordBatch, _ index: Int) -> String {
        var writer = ByteWriter()
        writer.appendObject { writer, members in
            members.string("topic", topic, &writer)
            members.integer("partition", Int64(partition), &writer)
            members.integer("offset", batch.offset(index), &writer)
            members.integer("timestamp", batch.timestamp(index), &writer)
            members.name("key", &writer)
            key.appendJSON(bytes(batch.key(index)), to: &writer)
            members.name("value", &writer)
            value.appendJSON(bytes(batch.value(index)), to: &writer)
            members.name("headers", &writer)
            writer.append(0x5b)
            for (number, header) in headers(batch, index).enumerated() {
                if number > 0 { writer.append(0x2c) }
                writer.append(0x5b)
                writer.append(json: header.name)
                writer.append(0x2c)
                BytesFormat.auto.appendJSON(header.value, to: &writer)
                writer.append(0x5d)
            }
            writer.append(0x5d)
            if batch.context(index).isValid {
                members.string("traceparent", batch.context(index).traceparent, &writer)
            }
            if let report = try? names.report(header: batch.cell(index)) {
                members.name("cell", &writer)
                report.appendJSON(to: &writer)
            }
        }
        return writer.text
    }
}
