import Testing
import TributaryCore
import TributaryLineage

@testable import TributaryTelemetry

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

extension OTLPExporterTests {
    /// Metrics of all kinds, one of them with far more points than a request takes; each point's value is a number of its own.
    private func manyMetrics(_ points: Int) -> [Metric] {
        let frames = (0..<points).map { PointFrame(attributes: ["n": .int(Int64($0))], start: 1, time: 2) }
        let buckets = frames.map { HistogramPoint($0, sum: 1, bounds: [1, 2], counts: [1, 0, 2]) }
        let exponential = frames.map {
            ExponentialHistogramPoint($0, sum: 1, scale: 2, positive: .init(counts: [1, 2]))
        }
        var metrics = [
            Metric("sum", .sum(frames.map { NumberPoint($0, .int(1)) }, isMonotonic: true, .cumulative)),
            Metric("none", .gauge([])), Metric("gauge", .gauge(frames.map { NumberPoint($0, .double(1)) })),
            Metric("buckets", .histogram(buckets, .delta)),
            Metric("exponential", .exponentialHistogram(exponential, .cumulative)),
        ]
        for index in 0..<300 { metrics.append(Metric("small \(index)", .gauge([NumberPoint(frames[0], .int(1))]))) }
        return metrics
    }

    /// The points of a request as `metric/n`, and the names of its metrics.
    private func points(_ body: [UInt8], _ encoding: OTLPEncoding) throws -> (points: [String], names: [String]) {
        var points: [String] = []
        var names: [String] = []
        switch encoding {
        case .protobuf:
            for metric in try ProtobufMessage(body).messages(1)[0].messages(2)[0].messages(2) {
                names += metric.texts(1)
                for (content, attributes) in [(5, 7), (7, 7), (9, 9), (10, 1)] as [(Int, Int)] {
                    for point in try metric.messages(content).first?.messages(1) ?? [] {
                        let number = try #require(try point.attributes(attributes)["n"]?.value)
                        points.append("\(names.last ?? "")/\(number)")
                    }
                }
            }
        case .json:
            let request = try JSONReader.read(body.span.bytes)
            let scope = request["resourceMetrics"]?.array?.first?["scopeMetrics"]?.array?.first
            for metric in try #require(scope?["metrics"]?.array) {
                let name = try #require(metric["name"]?.string)
                names.append(name)
                for content in ["sum", "gauge", "histogram", "exponentialHistogram"] {
                    for point in metric[content]?["dataPoints"]?.array ?? [] {
                        let number = try #require(point["attributes"]?.array?.first?["value"]?["intValue"]?.string)
                        points.append("\(name)/\(number)")
                    }
                }
            }
        }
        return (points, names)
    }

    @Test(arguments: [OTLPEncoding.protobuf, .json])
    func `metrics are split at the limits, between points too, and none is lost or doubled`(
        _ encoding: OTLPEncoding
    ) throws {
        let server = try ScriptedServer([.ok, .status(503), .ok])
        defer { server.stop() }
        let exporter = try exporter(server.url, signals: [.metrics]) {
            $0.requestBytes = 8192
            $0.requestItems = 100
            $0.updateEndpoints { $0.encoding = encoding }
        }
        exporter.export(manyMetrics(700))
        exporter.flush(timeout: .seconds(30))
        let counters = exporter.counters(.metrics)
        exporter.shutdown(timeout: .seconds(1))
        #expect(counters.sent == 3100 && counters.lost == 0 && counters.retries == 1)
        var all: [String] = []
        for (index, request) in server.requests.enumerated() where index != 1 {
            #expect(request.plain.count <= 8192)
            let (points, names) = try points(request.plain, encoding)
            #expect(points.count <= 100 && !points.isEmpty && Set(names).count == names.count)
            all += points
        }
        #expect(server.requests.count >= 32 && all.count == 3100 && Set(all).count == 3100)
    }

    @Test func `a point above the limit is counted and left out, and the others of its metric arrive`() throws {
        let server = try ScriptedServer([.ok])
        defer { server.stop() }
        let exporter = try exporter(server.url, signals: [.metrics]) { $0.requestBytes = 4096 }
        var points = (0..<5).map { NumberPoint(PointFrame(attributes: ["n": .int($0)], time: 2), .int(1)) }
        points[2].frame.attributes["long"] = .string(String(repeating: "x", count: 5000))
        exporter.export([Metric("m", .gauge(points))])
        exporter.flush(timeout: .seconds(10))
        let counters = exporter.counters(.metrics)
        exporter.shutdown(timeout: .seconds(1))
        #expect(counters.sent == 4 && counters.unsendable == 1 && counters.lost == 1)
        let arrived = try server.requests.flatMap { try self.points($0.plain, .protobuf).points }
        #expect(arrived == [0, 1, 3, 4].map { (n: UInt64) in "m/\(ProtobufField.varint(n))" })
    }

    @Test func `what was not sent of metrics by the end is counted, in points`() throws {
        let server = try ScriptedServer([.slow(milliseconds: 5000)])
        defer { server.stop() }
        let exporter = try exporter(server.url, signals: [.metrics]) { $0.requestItems = 10 }
        exporter.export(manyMetrics(700))
        exporter.export(manyMetrics(1))
        while server.requests.isEmpty { usleep(1000) }
        exporter.shutdown(timeout: .milliseconds(100))
        #expect(exporter.counters(.metrics).expired == 3100 + 304)
    }
}
