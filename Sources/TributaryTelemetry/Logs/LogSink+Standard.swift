public import TributaryCore
internal import TributaryLineage

/// Log lines on the standard error output, one write a line.
extension LogSink {
    /// Lines for people: time, level, source, message, data, ids.
    public static func text(level: LogLevel = .info) -> LogSink {
        LogSink(level: level) { message in
            LogLine.write { writer in LogLine.appendText(message, at: TimeSource.system.wall.nanoseconds(), to: &writer)
            }
        }
    }

    /// Warnings and what is worse, for people: what an application says unless it is told otherwise.
    public static var warnings: LogSink {
        var sink = text(level: .warning)
        sink.isDefault = true
        return sink
    }

    /// Lines for programs: one JSON object each, with `trace_id`, `span_id` and `trace_flags` as fields of their own.
    public static func json(level: LogLevel = .info) -> LogSink {
        LogSink(level: level) { message in
            LogLine.write { writer in LogLine.appendJSON(message, at: TimeSource.system.wall.nanoseconds(), to: &writer)
            }
        }
    }
}

/// The forms of a log line.
package enum LogLine {
    /// Hands one line to the system in one call, so that lines of several threads don't mix.
    static func write(_ line: (inout ByteWriter) -> Void) {
        var writer = ByteWriter()
        StandardErrorLine.shared.clear(before: &writer)
        line(&writer)
        _ = SystemFile.writeSome(2, writer.bytes)
    }

    /// Appends the form for people.
    package static func appendText(_ line: LogMessage, at nanoseconds: Int64, to writer: inout ByteWriter) {
        appendTime(nanoseconds, to: &writer)
        writer.append(0x20)
        writer.append(utf8: line.level.rawValue.uppercased())
        writer.append(ascii: " [")
        append(clean: line.source, to: &writer)
        writer.append(ascii: "] ")
        append(clean: line.message, to: &writer)
        for (key, value) in line.metadata {
            writer.append(0x20)
            append(clean: key, to: &writer)
            writer.append(0x3d)
            let plain = value.utf8.allSatisfy { $0 > 0x20 && $0 != 0x22 && $0 != 0x3d } && !value.isEmpty
            if plain { writer.append(utf8: value) } else { writer.append(json: value) }
        }
        if line.context.isValid {
            writer.append(ascii: " trace_id=")
            writer.append(hex: line.context.traceHigh, digits: 16)
            writer.append(hex: line.context.traceLow, digits: 16)
            writer.append(ascii: " span_id=")
            writer.append(hex: line.context.span, digits: 16)
        }
        writer.append(0x0a)
    }

    /// Appends the form for programs.
    package static func appendJSON(_ line: LogMessage, at nanoseconds: Int64, to writer: inout ByteWriter) {
        writer.append(ascii: #"{"time":""#)
        appendTime(nanoseconds, to: &writer)
        writer.append(ascii: #"","level":"#)
        writer.append(json: line.level.rawValue)
        writer.append(ascii: #","source":"#)
        writer.append(json: line.source)
        writer.append(ascii: #","message":"#)
        writer.append(json: line.message)
        if line.context.isValid {
            writer.append(ascii: #","trace_id":""#)
            writer.append(hex: line.context.traceHigh, digits: 16)
            writer.append(hex: line.context.traceLow, digits: 16)
            writer.append(ascii: #"","span_id":""#)
            writer.append(hex: line.context.span, digits: 16)
            writer.append(ascii: #"","trace_flags":""#)
            writer.append(hex: UInt64(line.context.flags & TraceContext.standardFlags), digits: 2)
            writer.append(0x22)
        }
        if !line.metadata.isEmpty {
            writer.append(ascii: #","metadata":{"#)
            for (index, (key, value)) in line.metadata.enumerated() {
                if index > 0 { writer.append(0x2c) }
                writer.append(json: key)
                writer.append(0x3a)
                writer.append(json: value)
            }
            writer.append(0x7d)
        }
        writer.append(ascii: "}\n")
    }

    /// Appends text without control characters, which could forge a line.
    private static func append(clean text: String, to writer: inout ByteWriter) {
        for byte in text.utf8 { writer.append(byte < 0x20 || byte == 0x7f ? 0x20 : byte) }
    }

    /// Appends a time as ISO 8601 in UTC with milliseconds.
    private static func appendTime(_ nanoseconds: Int64, to writer: inout ByteWriter) {
        let milliseconds = max(nanoseconds / 1_000_000, 0)
        let (year, month, day) = date(ofDay: milliseconds / 86_400_000)
        let time = milliseconds % 86_400_000
        func append(_ number: Int64, _ digits: Int) {
            let text = String(number)
            for _ in 0..<max(digits - text.utf8.count, 0) { writer.append(0x30) }
            writer.append(utf8: text)
        }
        append(year, 4)
        writer.append(0x2d)
        append(month, 2)
        writer.append(0x2d)
        append(day, 2)
        writer.append(0x54)
        append(time / 3_600_000, 2)
        writer.append(0x3a)
        append(time / 60_000 % 60, 2)
        writer.append(0x3a)
        append(time / 1000 % 60, 2)
        writer.append(0x2e)
        append(time % 1000, 3)
        writer.append(0x5a)
    }

    /// Year, month and day of a day since 1970-01-01, which must not be before it.
    ///
    /// Counts from the 1st of March of the year 0, so that leap days come last in their 400, 100, 4 and 1 years.
    private static func date(ofDay day: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let sinceMarch = day + 719_468
        let era = sinceMarch / 146_097
        let dayOfEra = sinceMarch % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
    }
}
