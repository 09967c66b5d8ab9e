internal import TributaryCore
internal import TributaryLineage

extension OTLPProtobuf {
    /// Writes the fields of a metric.
    static func append(_ metric: Metric, to writer: inout ByteWriter) {
        writer.append(field: 1, string: metric.name)
        if !metric.description.isEmpty { writer.append(field: 2, string: metric.description) }
        if !metric.unit.isEmpty { writer.append(field: 3, string: metric.unit) }
        switch metric.content {
        case .gauge(let points):
            let start = writer.beginMessage(5)
            for point in points { append(point, to: &writer) }
            writer.endMessage(start)
        case .sum(let points, let isMonotonic, let temporality):
            let start = writer.beginMessage(7)
            for point in points { append(point, to: &writer) }
            writer.append(field: 2, varint: UInt64(temporality.rawValue))
            writer.append(field: 3, varint: isMonotonic ? 1 : 0)
            writer.endMessage(start)
        case .histogram(let points, let temporality):
            let start = writer.beginMessage(9)
            for point in points { append(point, to: &writer) }
            writer.append(field: 2, varint: UInt64(temporality.rawValue))
            writer.endMessage(start)
        case .exponentialHistogram(let points, let temporality):
            let start = writer.beginMessage(10)
            for point in points { append(point, to: &writer) }
            writer.append(field: 2, varint: UInt64(temporality.rawValue))
            writer.endMessage(start)
        }
    }

    private static func appendTimes(_ frame: PointFrame, to writer: inout ByteWriter) {
        if frame.start != 0 { writer.append(field: 2, fixed64: UInt64(clamping: frame.start)) }
        writer.append(field: 3, fixed64: UInt64(clamping: frame.time))
    }

    private static func append(_ number: MetricNumber, double: UInt64, int: UInt64, to writer: inout ByteWriter) {
        switch number {
        case .double(let value): writer.append(field: double, double: value)
        case .int(let value): writer.append(field: int, fixed64: UInt64(bitPattern: value))
        }
    }

    private static func append(_ point: NumberPoint, to writer: inout ByteWriter) {
        let start = writer.beginMessage(1)
        appendTimes(point.frame, to: &writer)
        append(point.value, double: 4, int: 6, to: &writer)
        append(point.exemplars, field: 5, to: &writer)
        writer.append(field: 7, sorted: point.frame.attributes)
        writer.endMessage(start)
    }

    private static func append(_ point: HistogramPoint, to writer: inout ByteWriter) {
        let start = writer.beginMessage(1)
        appendTimes(point.frame, to: &writer)
        writer.append(field: 4, fixed64: point.count)
        writer.append(field: 5, double: point.sum)
        writer.append(field: 6, wireType: 2)
        writer.append(varint: UInt64(point.counts.count * 8))
        for count in point.counts { writer.append(bigEndian: count.byteSwapped) }
        writer.append(field: 7, wireType: 2)
        writer.append(varint: UInt64(point.bounds.count * 8))
        for bound in point.bounds { writer.append(bigEndian: bound.bitPattern.byteSwapped) }
        append(point.exemplars, field: 8, to: &writer)
        writer.append(field: 9, sorted: point.frame.attributes)
        if let minimum = point.minimum { writer.append(field: 11, double: minimum) }
        if let maximum = point.maximum { writer.append(field: 12, double: maximum) }
        writer.endMessage(start)
    }

    private static func append(_ point: ExponentialHistogramPoint, to writer: inout ByteWriter) {
        let start = writer.beginMessage(1)
        writer.append(field: 1, sorted: point.frame.attributes)
        appendTimes(point.frame, to: &writer)
        writer.append(field: 4, fixed64: point.count)
        writer.append(field: 5, double: point.sum)
        writer.append(field: 6, varint: zigZag(point.scale))
        if point.zeroCount != 0 { writer.append(field: 7, fixed64: point.zeroCount) }
        append(point.positive, field: 8, to: &writer)
        append(point.negative, field: 9, to: &writer)
        append(point.exemplars, field: 11, to: &writer)
        if let minimum = point.minimum { writer.append(field: 12, double: minimum) }
        if let maximum = point.maximum { writer.append(field: 13, double: maximum) }
        writer.endMessage(start)
    }

    private static func append(
        _ buckets: ExponentialHistogramPoint.Buckets, field: UInt64, to writer: inout ByteWriter
    ) {
        guard !buckets.counts.isEmpty else { return }
        let start = writer.beginMessage(field)
        writer.append(field: 1, varint: zigZag(buckets.offset))
        let counts = writer.beginMessage(2)
        for count in buckets.counts { writer.append(varint: count) }
        writer.endMessage(counts)
        writer.endMessage(start)
    }

    private static func append(_ exemplars: [MetricExemplar], field: UInt64, to writer: inout ByteWriter) {
        for exemplar in exemplars {
            let start = writer.beginMessage(field)
            writer.append(field: 2, fixed64: UInt64(clamping: exemplar.time))
            append(exemplar.value, double: 3, int: 6, to: &writer)
            if exemplar.context.isValid {
                writer.append(field: 4, span: exemplar.context.span)
                writer.append(field: 5, traceOf: exemplar.context)
            }
            writer.append(field: 7, sorted: exemplar.attributes)
            writer.endMessage(start)
        }
    }

    private static func zigZag(_ value: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: (value &<< 1) ^ (value &>> 31)))
    }
}
