import TestSupport
import Testing
import Tributary
import TributaryCore
import TributaryLMDB
import TributaryWeb

@Suite(.timeLimit(.minutes(10))) struct WebServerTests {
    struct Part {
        let folder: TemporaryFolder

        init() throws { folder = try TemporaryFolder() }

        /// Runs a counting application with a server beside it, and stops both after `body`.
        func run(
            _ web: WebConfiguration = WebConfiguration(port: 0),
            pages: @Sendable (StreamsApplication) throws -> [String: WebPage] = { _ in [:] },
            _ body: @escaping @Sendable (StreamsApplication, WebServer) async throws -> Void
        ) async throws {
            let log = try EmbeddedLog.open(at: "\(folder.path)/log")
            try log.createTopics([
                TopicSpecification("in", settings: ["retention.ms": "-1"]),
                TopicSpecification("out", settings: ["retention.ms": "-1"]),
            ])
            let producer = try log.makeProducer(ProducerConfiguration(clientID: "test"))
            let topic = try producer.number(ofTopic: "in")
            for index in 0..<500 {
                let key = Array("key-\(index % 7)".utf8)
                try producer.send(
                    OutgoingRecord(timestamp: Int64(index), key: key.span.bytes, value: key.span.bytes), topic: topic,
                    partition: 0)
            }
            try producer.flush()
            producer.close()
            let builder = StreamsBuilder()
            builder.stream("in", key: .string, value: .string).groupByKey().count(as: "counts").toStream().to("out")
            var configuration = StreamsConfiguration(
                applicationID: "web", log: .open(log), stateDirectory: "\(folder.path)/state",
                lineage: LineageConfiguration(exporter: InMemorySpanExporter(capacity: 100)))
            configuration.handlesSignals = false
            let application = try StreamsApplication(builder.build(), configuration: configuration)
            let server = try WebServer(application, web, pages: pages(application))
            #expect(try get(server.port, "/health/ready").status == 503)
            #expect(try get(server.port, "/health/live").status == 200)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await application.run() }
                group.addTask {
                    while application.metrics.records < 500 && application.state != .error {
                        try await Task.sleep(for: .milliseconds(5))
                    }
                    try await body(application, server)
                    application.shutdown()
                }
                try await group.waitForAll()
            }
            #expect(try get(server.port, "/health/live").status == 503)
            server.stop()
            #expect(throws: SocketError.self) { try get(server.port, "/health/live") }
            log.close()
        }
    }

    @Test("metrics, health and topology of a running application")
    func pages() async throws {
        try await Part().run { (_, server) async throws in
            let metrics = try get(server.port, "/metrics")
            #expect(metrics.status == 200)
            #expect(metrics.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
            let process =
                "kafka_streams_stream_thread_metrics_process_total{client_id=\"web\",thread_id=\"web-StreamThread-1\"} 500\n"
            #expect(metrics.body.contains(process))
            #expect(metrics.body.contains("# TYPE messaging_process_duration_seconds histogram\n"))
            #expect(!metrics.body.contains("# EOF"))
            // Stores and lineage are taken over at commits.
            let store = "{thread_id=\"web-StreamThread-1\",task_id=\"0_0\",state_id=\"counts\"}"
            let cache = "{thread_id=\"web-StreamThread-1\",task_id=\"0_0\",record_cache_id=\"counts\"}"
            let lines = [
                "kafka_streams_stream_state_metrics_put_total\(store) 500\n",
                "kafka_streams_stream_state_metrics_flush_latency_seconds_count\(store) 1\n",
                "kafka_streams_stream_record_cache_metrics_hit_ratio_avg\(cache) 0.986\n",
                "tributary_store_size_bytes\(store) 4096\n", "tributary_cache_misses_total\(cache) 7\n",
                "tributary_lineage_sampled_records_total{client_id=\"web\",thread_id=\"web-StreamThread-1\"} 500\n",
                "# TYPE tributary_lineage_time_seconds_total counter\n",
                "tributary_lineage_dropped_spans_total{client_id=\"web\"} ",
            ]
            var body = metrics.body
            for _ in 0..<1000 where !lines.allSatisfy(body.contains) {
                try await Task.sleep(for: .milliseconds(5))
                body = try get(server.port, "/metrics").body
            }
            for line in lines { #expect(body.contains(line), "\(line)") }
            let open = try get(server.port, "/metrics", ["Accept: application/openmetrics-text;version=1.0.0"])
            #expect(open.headers["content-type"]?.hasPrefix("application/openmetrics-text") == true)
            #expect(open.body.hasSuffix("# EOF\n"))
            let exemplars = open.body.split(separator: "\n").filter { $0.contains(" # {trace_id=\"") }
            #expect(
                !exemplars.isEmpty && exemplars.allSatisfy { $0.hasPrefix("messaging_process_duration_seconds_bucket") }
            )
            #expect(open.body.contains("tributary_lineage_spans_total{"))
            let ready = try get(server.port, "/health/ready")
            #expect(ready.status == 200)
            #expect(ready.body == "{\"status\":\"UP\",\"state\":\"running\"}\n")
            let topology = try get(server.port, "/topology")
            #expect(topology.headers["content-type"] == "application/json")
            #expect(topology.body.contains("\"stores\":[\"counts\"]"))
            #expect(try get(server.port, "/topology?format=mermaid").body.hasPrefix("flowchart TD\n"))
            #expect(try get(server.port, "/topology?format=dot").body.hasPrefix("digraph topology {\n"))
            #expect(try get(server.port, "/topology?format=text").body.hasPrefix("Topologies:\n"))
            #expect(try get(server.port, "/topology?format=png").status == 400)
            #expect(try get(server.port, "/nothing").status == 404)
        }
    }

    @Test("other hosts' names, other methods and bodies are refused")
    func refused() async throws {
        try await Part().run { (_, server) async throws in
            let port = server.port
            #expect(try get(port, "/metrics", host: "evil.example").status == 421)
            #expect(try get(port, "/metrics", ["Host: evil.example"], host: "localhost").status == 421)
            #expect(try get(port, "/metrics", host: "localhost:\(port)").status == 200)
            #expect(
                try request(port, "DELETE /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").status
                    == 405)
            let post =
                "POST /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"
            #expect(try request(port, post).status == 405)
            #expect(try request(port, "nonsense\r\n\r\n").status != 200)
            let long = String(repeating: "a", count: 40_000)
            #expect(try get(port, "/\(long)").status == 414)
            #expect(try get(port, "/health/live").status == 200)
        }
    }

    @Test("an address that can't be listened on is refused with its name")
    func notBound() async throws {
        try await Part().run { (application, server) async throws in
            let taken = WebConfiguration(port: server.port, address: "127.0.0.1")
            let error = #expect(throws: WebError.self) { try WebServer(application, taken) }
            #expect(error?.code == .notBound)
            #expect(error?.message.contains("127.0.0.1:\(server.port)") == true)
            let wrong = #expect(throws: WebError.self) {
                try WebServer(application, WebConfiguration(address: "nowhere"))
            }
            #expect(wrong?.code == .invalidAddress)
        }
    }
}
