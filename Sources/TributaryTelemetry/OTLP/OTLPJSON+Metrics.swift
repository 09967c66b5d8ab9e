internal import TributaryCore
internal import TributaryLineage

extension OTLPJSON {
    /// Writes a metric as an object.
    static func append(_ metric: Metric, to writer: inout ByteWriter) {
        writer.append(ascii: #"{"name":"#)
        writer.append(json: metric.name)
        writer.append(ascii: #","description":"#)
        writer.append(json: metric.description)
        writer.append(ascii: #","unit":"#)
        writer.append(json: metric.unit)
        switch metric.content {
        case .gauge(let points):
            writer.append(ascii: #","gauge":{"dataPoints":["#)
            appendList(points, to: &writer) { append($0, to: &$1) }
            writer.append(0x5d)
        case .sum(let points, let isMonotonic, let temporality):
            writer.append(ascii: #","sum":{"dataPoints":["#)
            appendList(points, to: &writer) { append($0, to: &$1) }
            appendEnd(temporality, to: &writer)
            writer.append(ascii: isMonotonic ? #","isMonotonic":true"# : #","isMonotonic":false"#)
        case .histogram(let points, let temporality):
            writer.append(ascii: #","histogram":{"dataPoints":["#)
            appendList(points, to: &writer) { append($0, to: &$1) }
            appendEnd(temporality, to: &writer)
        case .exponentialHistogram(let points, let temporality):
            writer.append(ascii: #","exponentialHistogram":{"dataPoints":["#)
            appendList(points, to: &writer) { append($0, to: &$1) }
            appendEnd(temporality, to: &writer)
        }
        writer.append(ascii: "}}")
    }

    private static func appendEnd(_ temporality: Metric.Temporality, to writer: inout ByteWriter) {
        writer.append(ascii: #"],"aggregationTemporality":"#)
        writer.append(decimal: UInt64(temporality.rawValue))
    }

    private static func appendList<Element>(
        _ elements: [Element], to writer: inout ByteWriter, _ body: (Element, inout ByteWriter) -> Void
    ) {
        for (index, element) in elements.enumerated() {
            if index > 0 { writer.append(0x2c) }
            body(element, &writer)
        }
    }

    private static func append(_ frame: PointFrame, to writer: inout ByteWriter) {
        writer.append(ascii: #"{"attributes":["#)
        append(sorted: frame.attributes, to: &writer)
        writer.append(ascii: #"],"startTimeUnixNano":""#)
        writer.append(decimal: frame.start)
        writer.append(ascii: #"","timeUnixNano":""#)
        writer.append(decimal: frame.time)
        writer.append(0x22)
    }

    private static func append(_ number: MetricNumber, to writer: inout ByteWriter) {
        switch number {
        case .int(let value):
            writer.append(ascii: #","asInt":""#)
            writer.append(decimal: value)
            writer.append(0x22)
        case .double(let value):
            writer.append(ascii: #","asDouble":"#)
            append(number: value, to: &writer)
        }
    }

    private static func append(_ point: NumberPoint, to writer: inout ByteWriter) {
        append(point.frame, to: &writer)
        append(point.value, to: &writer)
        append(point.exemplars, to: &writer)
        writer.append(0x7d)
    }

    private static func append(_ point: HistogramPoint, to writer: inout ByteWriter) {
        append(point.frame, to: &writer)
        append(count: point.count, sum: point.sum, point.minimum, point.maximum, to: &writer)
        append(counts: point.counts, to: &writer)
        writer.append(ascii: #","explicitBounds":["#)
        appendList(point.bounds, to: &writer) { append(number: $0, to: &$1) }
        writer.append(0x5d)
        append(point.exemplars, to: &writer)
        writer.append(0x7d)
    }

    private static func append(_ point: ExponentialHistogramPoint, to writer: inout ByteWriter) {
        append(point.frame, to: &writer)
        append(count: point.count, sum: point.sum, point.minimum, point.maximum, to: &writer)
        writer.append(ascii: #","scale":"#)
        writer.append(decimal: Int64(point.scale))
        writer.append(ascii: #","zeroCount":""#)
        writer.append(decimal: point.zeroCount)
        writer.append(ascii: #"","positive":{"offset":"#)
        writer.append(decimal: Int64(point.positive.offset))
        append(counts: point.positive.counts, to: &writer)
        writer.append(ascii: #"},"negative":{"offset":"#)
        writer.append(decimal: Int64(point.negative.offset))
        append(counts: point.negative.counts, to: &writer)
        writer.append(0x7d)
        append(point.exemplars, to: &writer)
        writer.append(0x7d)
    }

    private static func append(
        count: UInt64, sum: Double, _ minimum: Double?, _ maximum: Double?, to writer: inout ByteWriter
    ) {
        writer.append(ascii: #","count":""#)
        writer.append(decimal: count)
        writer.append(ascii: #"","sum":"#)
        append(number: sum, to: &writer)
        if let minimum {
            writer.append(ascii: #","min":"#)
            append(number: minimum, to: &writer)
        }
        if let maximum {
            writer.append(ascii: #","max":"#)
            append(number: maximum, to: &writer)
        }
    }

    private static func append(counts: [UInt64], to writer: inout ByteWriter) {
        writer.append(ascii: #","bucketCounts":["#)
        appendList(counts, to: &writer) { count, writer in
            writer.append(0x22)
            writer.append(decimal: count)
            writer.append(0x22)
        }
        writer.append(0x5d)
    }

    private static func append(_ exemplars: [MetricExemplar], to writer: inout ByteWriter) {
        guard !exemplars.isEmpty else { return }
        writer.append(ascii: #","exemplars":["#)
        appendList(exemplars, to: &writer) { exemplar, writer in
            writer.append(ascii: #"{"timeUnixNano":""#)
            writer.append(decimal: exemplar.time)
            writer.append(0x22)
            append(exemplar.value, to: &writer)
            if exemplar.context.isValid {
                writer.append(0x2c)
                append(ids: exemplar.context, to: &writer)
            }
            if !exemplar.attributes.isEmpty {
                writer.append(ascii: #","filteredAttributes":["#)
                append(sorted: exemplar.attributes, to: &writer)
                writer.append(0x5d)
            }
            writer.append(0x7d)
        }
        writer.append(0x5d)
    }
}
