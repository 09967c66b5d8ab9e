import Testing
import TributaryCore
import TributaryLineage

@testable import TributaryTelemetry

@Suite struct OTLPMetricsTests {
    let frame = PointFrame(attributes: ["t": .string("a")], start: 1, time: 2)
    let exemplar = MetricExemplar(.double(0.5), time: 9, context: Sample.context(2, 3), attributes: ["x": .int(1)])

    func message(_ metric: Metric) throws -> ProtobufMessage {
        var writer = ByteWriter()
        OTLPProtobuf.append(metric, to: &writer)
        return try ProtobufMessage(writer.copy())
    }

    func json(_ metric: Metric) throws -> JSONValue {
        var writer = ByteWriter()
        OTLPJSON.append(metric, to: &writer)
        return try JSONReader.read(writer.copy().span.bytes)
    }

    @Test func `a sum, byte for byte`() {
        var writer = ByteWriter()
        let point = NumberPoint(PointFrame(start: 1, time: 2), .int(-2))
        OTLPProtobuf.append(Metric("m", unit: "By", .sum([point], isMonotonic: true, .cumulative)), to: &writer)
        let data: [UInt8] =
            [0x0a, 0x9b, 0x80, 0x80, 0x00]
            + [0x11, 1, 0, 0, 0, 0, 0, 0, 0] + [0x19, 2, 0, 0, 0, 0, 0, 0, 0]
            + [0x31, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]
            + [0x10, 2, 0x18, 1]
        #expect(
            writer.copy() == [0x0a, 1, 0x6d, 0x1a, 2, 0x42, 0x79, 0x3a, 0x80 + UInt8(data.count), 0x80, 0x80, 0x00]
                + data)
    }

    @Test func `a gauge with an exemplar`() throws {
        let metric = Metric("g", description: "d", .gauge([NumberPoint(frame, .double(1.5), exemplars: [exemplar])]))
        let point = try #require(try message(metric).messages(5).first?.messages(1).first)
        #expect(try message(metric).texts(2) == ["d"])
        #expect(point[4] == [.fixed64(1.5.bitPattern)] && point[6].isEmpty)
        #expect(try point.attributes(7)["t"]?.value == .bytes([0x61]))
        let one = try #require(try point.messages(5).first)
        #expect(one[2] == [.fixed64(9)] && one[3] == [.fixed64(0.5.bitPattern)])
        #expect(one[4] == [.bytes([0, 0, 0, 0, 0, 0, 0, 3])])
        #expect(one[5] == [.bytes([0, 0, 0, 0, 0, 0, 0x0a, 0xbc, 0, 0, 0, 0, 0, 0, 0, 2])])
        #expect(try one.attributes(7)["x"]?.value == .varint(1))
        let read = try #require(try json(metric)["gauge"]?["dataPoints"]?.array?.first)
        #expect(read["asDouble"] == .number(1.5) && read["timeUnixNano"] == .string("2"))
        let other = try #require(read["exemplars"]?.array?.first)
        #expect(other["spanId"] == .string("0000000000000003") && other["asDouble"] == .number(0.5))
        #expect(other["filteredAttributes"]?.array?.count == 1)
    }

    @Test func `a histogram`() throws {
        let point = HistogramPoint(
            frame, sum: 3.5, minimum: 0.5, maximum: 2, bounds: [1, 2], counts: [1, 2, 0], exemplars: [exemplar])
        let metric = Metric("h", unit: "s", .histogram([point], .delta))
        let histogram = try #require(try message(metric).messages(9).first)
        #expect(histogram[2] == [.varint(1)])
        let one = try #require(try histogram.messages(1).first)
        #expect(one[4] == [.fixed64(3)] && one[5] == [.fixed64(3.5.bitPattern)])
        #expect(one[6] == [.bytes([1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])])
        #expect(one[7] == [.bytes([0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0x40])])
        #expect(one[11] == [.fixed64(0.5.bitPattern)] && one[12] == [.fixed64(2.0.bitPattern)])
        #expect(try one.messages(8).count == 1 && one.attributes(9).count == 1)
        let read = try #require(try json(metric)["histogram"])
        #expect(read["aggregationTemporality"] == .integer(1))
        let values = try #require(read["dataPoints"]?.array?.first)
        #expect(values["count"] == .string("3") && values["min"] == .number(0.5))
        #expect(values["bucketCounts"] == .array([.string("1"), .string("2"), .string("0")]))
        #expect(values["explicitBounds"] == .array([.number(1), .number(2)]))
    }

    @Test func `an exponential histogram`() throws {
        let point = ExponentialHistogramPoint(
            frame, sum: 7, scale: -1, zeroCount: 2, positive: .init(offset: -3, counts: [1, 300]),
            negative: .init(offset: 4, counts: [5]), exemplars: [exemplar])
        let metric = Metric("e", .exponentialHistogram([point], .cumulative))
        let one = try #require(try message(metric).messages(10).first?.messages(1).first)
        #expect(one[4] == [.fixed64(308)] && one[6] == [.varint(1)] && one[7] == [.fixed64(2)])
        let positive = try #require(try one.messages(8).first)
        #expect(positive[1] == [.varint(5)] && positive[2] == [.bytes([1, 0xac, 2])])
        #expect(try one.messages(9).first?[1] == [.varint(8)])
        #expect(try one.messages(11).count == 1 && one.attributes(1).count == 1)
        let values = try #require(try json(metric)["exponentialHistogram"]?["dataPoints"]?.array?.first)
        #expect(values["scale"] == .integer(-1) && values["zeroCount"] == .string("2"))
        #expect(values["positive"]?["offset"] == .integer(-3))
        #expect(values["positive"]?["bucketCounts"] == .array([.string("1"), .string("300")]))
        #expect(values["min"] == nil)
    }
}

extension OTLPMetricsTests {
    @Test func `what an application counted becomes metrics`() {
        let labels = [MetricLabel("task", "0_1")]
        let frame = PointFrame(attributes: ["task": .string("0_1")], start: 1, time: 9)
        let counter = MetricSnapshot(
            description: MetricDescription(.counter, "c", unit: "{record}", help: "words"),
            points: [MetricPoint(labels: labels, value: .number(7))])
        #expect(
            Metric(counter, start: 1, time: 9)
                == Metric(
                    "c", description: "words", unit: "{record}",
                    .sum([NumberPoint(frame, .int(7))], isMonotonic: true, .cumulative)))
        let gauge = MetricSnapshot(
            description: MetricDescription(.gauge, "g", unit: "1", help: ""),
            points: [MetricPoint(labels: labels, value: .number(0.5))])
        let moment = PointFrame(attributes: frame.attributes, start: 0, time: 9)
        #expect(
            Metric(gauge, start: 1, time: 9) == Metric("g", unit: "1", .gauge([NumberPoint(moment, .double(0.5))])))
        let histogram = MetricSnapshot(
            description: MetricDescription(.histogram, "h", unit: "s", help: ""),
            points: [
                MetricPoint(
                    labels: labels,
                    value: .histogram(
                        HistogramSnapshot(
                            bounds: [1], counts: [2, 0], sum: 1.5,
                            exemplars: [
                                TributaryCore.Exemplar(context: Sample.context(2, 3), value: 1, timestamp: 4), nil,
                            ])))
            ])
        #expect(
            Metric(histogram, start: 1, time: 9)
                == Metric(
                    "h", unit: "s",
                    .histogram(
                        [
                            HistogramPoint(
                                frame, sum: 1.5, bounds: [1], counts: [2, 0],
                                exemplars: [MetricExemplar(.double(1), time: 4_000_000, context: Sample.context(2, 3))])
                        ], .cumulative)))
    }
}

extension OTLPMetricsTests {
    @Test func `metrics without exemplars are the same otherwise`() {
        let numbers = [NumberPoint(frame, .int(1), exemplars: [exemplar])]
        let histogram = HistogramPoint(frame, sum: 1, bounds: [1], counts: [1, 0], exemplars: [exemplar])
        let other = ExponentialHistogramPoint(frame, sum: 1, scale: 0, exemplars: [exemplar])
        let contents: [Metric.Content] = [
            .sum(numbers, isMonotonic: true, .delta), .gauge(numbers), .histogram([histogram], .cumulative),
            .exponentialHistogram([other], .delta),
        ]
        for content in contents {
            let metric = Metric("m", description: "d", unit: "s", content)
            let bare = metric.withoutExemplars
            #expect(bare != metric && bare.withoutExemplars == bare && bare.pointCount == 1)
            #expect(bare.name == "m" && bare.description == "d" && bare.unit == "s")
        }
    }
}
