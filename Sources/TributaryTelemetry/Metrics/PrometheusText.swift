public import TributaryCore

/// Metrics as text that Prometheus reads: its own format 0.0.4 or OpenMetrics 1.0.0, which has exemplars.
///
/// Names become `[a-zA-Z_:][a-zA-Z0-9_:]*` with dots as `_`, seconds and bytes are added to the name, counters end in `_total`, as
/// OpenTelemetry's compatibility rules say. Labels become `[a-zA-Z_][a-zA-Z0-9_]*`; of two that become one the values are joined by
/// `;`. A metric whose name, or that of one of its series, is taken by one before it gets `_2`, `_3` and so on. Of two points with the
/// same labels the last one counts.
public enum PrometheusText {
    /// The two formats.
    public enum Format: Sendable {
        /// Prometheus's own, without exemplars.
        case prometheus
        /// OpenMetrics.
        case openMetrics

        /// What to say in `Content-Type`.
        public var contentType: String {
            switch self {
            case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
            case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
            }
        }
    }

    /// Writes metrics.
    public static func encode(_ metrics: [MetricSnapshot], _ format: Format) -> String {
        var text = ""
        var taken: Set<String> = []
        for metric in metrics where !metric.points.isEmpty {
            let family = unusedName(metric.description, &taken)
            let isCounter = metric.description.kind == .counter
            // The one difference of the headers: OpenMetrics names a counter's family without `_total`.
            let header = isCounter && format == .prometheus ? "\(family)_total" : family
            text += "# HELP \(header) \(escaped(metric.description.help, quotes: format == .openMetrics))\n"
            text += "# TYPE \(header) \(metric.description.kind.rawValue)\n"
            for (given, value) in series(metric) {
                switch value {
                case .number(let value):
                    let name = isCounter ? "\(family)_total" : family
                    text += "\(name)\(labels(given)) \(number(value))\n"
                case .histogram(let histogram):
                    append(histogram, family, given, format, to: &text)
                }
            }
        }
        if format == .openMetrics { text += "# EOF\n" }
        return text
    }

    /// The points with the labels that are written, each once.
    private static func series(_ metric: MetricSnapshot) -> [(labels: [MetricLabel], value: MetricPoint.Value)] {
        var places: [[MetricLabel]: Int] = [:]
        var found: [(labels: [MetricLabel], value: MetricPoint.Value)] = []
        for point in metric.points {
            let labels = labelNames(point.labels, isHistogram: metric.description.kind == .histogram)
            if let place = places[labels] {
                found[place].value = point.value
            } else {
                places[labels] = found.count
                found.append((labels, point.value))
            }
        }
        return found
    }

    /// Labels under names that Prometheus takes.
    private static func labelNames(_ given: [MetricLabel], isHistogram: Bool) -> [MetricLabel] {
        var labels: [MetricLabel] = []
        for label in given {
            var name = sanitized(label.name, allowsColon: false)
            // As OpenTelemetry's rules say.
            if let first = label.name.utf8.first, 0x30...0x39 ~= first {
                name = sanitized("key_\(label.name)", allowsColon: false)
            }
            // Names with two underscores in front are Prometheus' own, and so is the bound of a bucket.
            while name.hasPrefix("__") { name.removeFirst() }
            if isHistogram && name == "le" { name = "exported_le" }
            if let place = labels.firstIndex(where: { $0.name == name }) {
                labels[place] = MetricLabel(name, "\(labels[place].value);\(label.value)")
            } else {
                labels.append(MetricLabel(name, label.value))
            }
        }
        return labels
    }

    /// A family's name that no series of another one has; its own are taken then.
    private static func unusedName(_ description: MetricDescription, _ taken: inout Set<String>) -> String {
        let wanted = familyName(description)
        var name = wanted
        var number = 2
        while true {
            let names =
                switch description.kind {
                case .counter: [name, "\(name)_total"]
                case .gauge: [name]
                case .histogram: [name, "\(name)_bucket", "\(name)_sum", "\(name)_count"]
                }
            if taken.isDisjoint(with: names) {
                taken.formUnion(names)
                return name
            }
            name = "\(wanted)_\(number)"
            number += 1
        }
    }

    private static func sanitized(_ text: String, allowsColon: Bool) -> String {
        var name = ""
        for (index, byte) in text.utf8.enumerated() {
            let isDigit = (0x30...0x39).contains(byte)
            let isLetter =
                (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || (allowsColon && byte == 0x3A)
            name.unicodeScalars.append(isLetter || (isDigit && index > 0) ? Unicode.Scalar(byte) : "_")
        }
        return name.isEmpty ? "_" : name
    }

    /// The family's name: without `_total`.
    static func familyName(_ description: MetricDescription) -> String {
        var name = sanitized(description.name, allowsColon: true)
        if description.kind == .counter && name.hasSuffix("_total") && name != "_total" { name.removeLast(6) }
        let suffix: String? =
            switch description.unit {
            case "s": "seconds"
            case "By": "bytes"
            case "1" where description.kind == .gauge: "ratio"
            default: nil
            }
        // Not twice, if the name says it already.
        if let suffix, !name.split(separator: "_").contains(where: { $0 == suffix }) { name += "_" + suffix }
        return name
    }

    private static func append(
        _ histogram: HistogramSnapshot, _ family: String, _ given: [MetricLabel], _ format: Format,
        to text: inout String
    ) {
        var total: Int64 = 0
        for (index, count) in histogram.counts.enumerated() {
            total += count
            let bound = index < histogram.bounds.count ? number(histogram.bounds[index]) : "+Inf"
            text += "\(family)_bucket\(labels(given + [MetricLabel("le", bound)])) \(total)"
            if format == .openMetrics, index < histogram.exemplars.count, let exemplar = histogram.exemplars[index] {
                text += " # {trace_id=\"\(exemplar.context.traceID)\",span_id=\"\(exemplar.context.spanID)\"} "
                text += "\(number(exemplar.value)) \(number(Double(exemplar.timestamp) / 1000))"
            }
            text += "\n"
        }
        text += "\(family)_sum\(labels(given)) \(number(histogram.sum))\n"
        text += "\(family)_count\(labels(given)) \(total)\n"
    }

    private static func labels(_ labels: [MetricLabel]) -> String {
        guard !labels.isEmpty else { return "" }
        return "{" + labels.map { "\($0.name)=\"\(escaped($0.value, quotes: true))\"" }.joined(separator: ",") + "}"
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    // Whole numbers without a fraction, others as Swift's shortest text that reads back the same.
    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if value == value.rounded(), abs(value) < 1e15 { return String(Int64(value)) }
        return String(value)
    }
}
