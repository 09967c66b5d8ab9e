internal import TributaryCore
internal import TributaryTelemetry

/// Where spans come from: files, or Jaeger.
enum TraceSource {
    case files([String])
    case jaeger(JaegerClient, service: String?)

    init(_ arguments: Arguments) throws {
        let paths = arguments.all("traces")
        guard let url = arguments["jaeger"] else {
            guard !paths.isEmpty else { throw UsageError("give --traces or --jaeger", command: "trace") }
            guard !arguments.has("service") else { throw UsageError("--service needs --jaeger", command: "trace") }
            self = .files(paths)
            return
        }
        guard paths.isEmpty else { throw UsageError("give --traces or --jaeger, not both", command: "trace") }
        self = .jaeger(try JaegerClient(url), service: arguments["service"])
    }

    /// How an error names it.
    var place: String {
        switch self {
        case .files: "in the files"
        case .jaeger: "in Jaeger"
        }
    }

    /// The spans of a trace, or of the newest traces if none is named; files give all they have.
    ///
    /// Lines that can't be read (one that a killed process left half written) are told to `skipped`.
    func graph(ofTrace id: String?, most: Int, skipped: @escaping (TraceFileError) -> Void) throws -> TraceGraph {
        switch self {
        case .files(let paths): return try TraceFiles.graph(paths, skipped: skipped)
        case .jaeger(let client, let service):
            if let id { return TraceGraph(try client.spans(ofTrace: id)) }
            guard let service else {
                let names = try client.services()
                throw CommandError(
                    names.isEmpty
                        ? "Jaeger has no spans" : "say which with --service: \(names.sorted().joined(separator: ", "))")
            }
            let now = TimeSource.system.wall.milliseconds
            return TraceGraph(
                try client.spans(
                    ofService: service, from: TimeText.text(now - 86_400_000), to: TimeText.text(now + 60_000),
                    limit: most))
        }
    }

    /// The spans of a trace that a link led to.
    func spans(ofTrace id: String) throws -> [FinishedSpan] {
        guard case .jaeger(let client, _) = self else { return [] }
        return try client.spans(ofTrace: id)
    }
}

/// The spans of files and folders of files.
enum TraceFiles {
    /// Reads all; lines that can't be read are told to `skipped`.
    static func graph(_ paths: [String], skipped: @escaping (TraceFileError) -> Void) throws -> TraceGraph {
        var spans: [FinishedSpan] = []
        for path in paths {
            let files =
                Files.isFolder(path)
                ? try Files.entries(path).map { "\(path)/\($0)" }.filter { !Files.isFolder($0) } : [path]
            for file in files { spans += try TraceFile.read(file, skipping: skipped) }
        }
        return TraceGraph(spans)
    }
}
